import Glibc
package import SystemPackage

/// Where `apus-init` is, the first process of each instance.
package enum InitProgram {
    static let name = "apus-init"

    /// The program beside this one, whose directory is also that of the tests; `nil` where there is none.
    package static func find() -> FilePath? {
        var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
        let count = readlink("/proc/self/exe", &buffer, buffer.count - 1)
        guard count > 0 else { return nil }
        let own = FilePath(String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self))
        let program = own.removingLastComponent().appending(name)
        return SystemFiles.isExecutable(program) ? program : nil
    }

    /// One sentence for the log at start.
    static func sentence(_ program: FilePath?) -> String {
        program.map { "Functions are kept warm by \($0)." }
            ?? "Functions are not kept warm: apus-init is not beside this program; install both."
    }

    /// - Throws: `.unavailable`, which says what is missing.
    static func required(_ program: FilePath?) throws(SandboxError) -> FilePath {
        guard let program else {
            throw SandboxError(
                .unavailable, "instances need the program apus-init in the directory of apus: install both")
        }
        return program
    }
}
