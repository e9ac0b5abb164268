import Glibc

/// Where a program is that is called by its name alone.
enum ProgramSearch {
    /// The path of a program, as `execvp` finds it in the path of that environment.
    ///
    /// Relative directories in the path count from the current one, as there.
    ///
    /// - Returns: `nil` where there is none.
    static func path(of program: String, _ environment: [String]) -> String? {
        guard !program.utf8.isEmpty else { return nil }
        guard !program.utf8.contains(UInt8(ascii: "/")) else { return program }
        let variable = environment.last { $0.utf8.starts(with: "PATH=".utf8) }
        let directories = variable.map { $0.utf8.dropFirst(5) } ?? Substring("/bin:/usr/bin").utf8
        for directory in directories.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false) {
            let place = directory.isEmpty ? program : "\(Substring(directory))/\(program)"
            if isProgram(place) { return place }
        }
        return nil
    }

    private static func isProgram(_ path: String) -> Bool {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
        return access(path, X_OK) == 0
    }
}
