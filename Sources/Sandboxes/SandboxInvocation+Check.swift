import SystemPackage

extension SandboxInvocation {
    /// The kernel takes no longer single string (`MAX_ARG_STRLEN`, linux/binfmts.h), its terminator included.
    static let longestVariable = 131_072
    /// Well below what the kernel takes in all (a quarter of the stack's limit, 2 MiB by default).
    static let largestEnvironment = 1_048_576

    /// - Throws: `.invalid` for what no sandbox can run.
    func checkForm() throws(SandboxError) {
        try Self.checkID(id)
        for path in [workDirectory, inputDirectory, outputDirectory, configDirectory] where !path.isAbsolute {
            throw SandboxError(.invalid, "the path \(path) of the invocation \(id) must be absolute")
        }
        if let name = inputFileName,
            name.isEmpty || name == "." || name == ".." || name.utf8.contains(0x2F)
                || name.utf8.contains(0)
        {
            throw SandboxError(.invalid, "\"\(name)\" is not the name of an input file")
        }
        var total = 0
        for (name, value) in environment {
            guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "=")), !name.utf8.contains(0), !value.utf8.contains(0)
            else {
                throw SandboxError(
                    .invalid, "the environment variable \"\(name)\" has a name or value that no process can have")
            }
            let size = name.utf8.count + value.utf8.count + 2
            guard size <= Self.longestVariable else {
                throw SandboxError(
                    .invalid,
                    "the environment variable \(name) has \(value.utf8.count) bytes; the system takes at most 128 KiB: "
                        + "pass it in a file instead"
                )
            }
            total += size
        }
        guard total <= Self.largestEnvironment else {
            throw SandboxError(
                .invalid, "the environment has \(total) bytes; at most 1 MiB is possible: use files instead")
        }
    }

    private static func checkID(_ id: String) throws(SandboxError) {
        let isWritable = id.utf8.allSatisfy { byte in
            (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                || byte == 0x2D || byte == 0x5F || byte == 0x2E
        }
        guard isWritable, (1...120).contains(id.utf8.count), id.first != "." else {
            throw SandboxError(.invalid, "\"\(id.prefix(130))\" is not the name of an invocation")
        }
    }

    /// What the script sees beside the service's own variables: the paths of its files (supervisor.md section 2).
    func variables(input: String, output: String, home: String, temporary: String) -> [String: String] {
        var variables = ["TMP_INPUT_DIR": input, "TMP_OUTPUT_DIR": output, "HOME": home, "TMPDIR": temporary]
        if let inputFileName { variables["INPUT_FILE_PATH"] = "\(input)/\(inputFileName)" }
        return variables
    }
}
