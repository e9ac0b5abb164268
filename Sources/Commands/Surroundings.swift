import Glibc
package import Model
package import SystemPackage

/// All that a command sees of the world besides servers: environment, terminal, standard streams.
///
/// Tests give their own.
package struct Surroundings: Sendable {
    package enum Stream: Sendable, Hashable { case output, error }

    /// The environment.
    package var variables: [String: String]
    package var workingDirectory: FilePath
    /// Whether the user is root, whose data lies elsewhere.
    package var isRoot: Bool
    /// Whether people watch the standard output.
    package var outputIsTerminal: Bool
    /// Whether people watch the standard error.
    package var errorIsTerminal: Bool
    /// The width of the terminal in columns.
    package var columns: Int
    /// Writes all bytes to a standard stream.
    ///
    /// - Throws: `CommandError` with `outputClosed`.
    package var write: @Sendable (Stream, [UInt8]) throws(CommandError) -> Void
    /// Reads the whole standard input, up to a number of bytes.
    ///
    /// - Throws: `CommandError` with `invalidInput` when there is more.
    package var readInput: @Sendable (_ limit: Int) async throws -> [UInt8]
    /// The wall clock.
    package var now: @Sendable () -> Instant
    /// Whether somebody can be asked: the standard input is a terminal.
    package var inputIsTerminal = false
    /// Reads one line of the standard input, without its end; `nil` at the end of the input.
    package var readLine: @Sendable () async -> String? = { nil }

    package init(
        variables: [String: String],
        workingDirectory: FilePath,
        isRoot: Bool = false,
        outputIsTerminal: Bool = false,
        errorIsTerminal: Bool = false,
        columns: Int = 80,
        write: @escaping @Sendable (Stream, [UInt8]) throws(CommandError) -> Void,
        readInput: @escaping @Sendable (_ limit: Int) async throws -> [UInt8],
        now: @escaping @Sendable () -> Instant
    ) {
        (self.variables, self.workingDirectory, self.isRoot) = (variables, workingDirectory, isRoot)
        (self.outputIsTerminal, self.errorIsTerminal, self.columns) = (outputIsTerminal, errorIsTerminal, columns)
        (self.write, self.readInput, self.now) = (write, readInput, now)
    }

    /// What the running command sees.
    @TaskLocal package static var current = Surroundings.ofProcess()

    /// A variable of the environment that is set and not empty.
    func variable(_ name: String) -> String? { variables[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// The user's home directory.
    var home: FilePath { variable("HOME").map { FilePath($0) } ?? FilePath("/") }

    /// `$XDG_CONFIG_HOME`, or its default (XDG Base Directory specification; relative values are ignored, as it
    /// demands).
    var configurationHome: FilePath { directory("XDG_CONFIG_HOME") ?? home.appending(".config") }

    /// Where `apus serve` keeps its data by default.
    var dataDirectory: FilePath {
        if isRoot { return FilePath("/var/lib/apus") }
        return (directory("XDG_DATA_HOME") ?? home.appending(".local").appending("share")).appending("apus")
    }

    /// Whether to colour the standard output (no-color.org).
    var usesColour: Bool { outputIsTerminal && variable("NO_COLOR") == nil && variable("TERM") != "dumb" }

    /// A path as the user meant it: relative ones belong to the working directory.
    func resolve(_ path: String) -> FilePath {
        let written = FilePath(path)
        // "./x" is "x", and reads better so; ".." stays, because what it means depends on links.
        let relative = FilePath(root: written.root, written.components.filter { $0.kind != .currentDirectory })
        return workingDirectory.pushing(relative)
    }

    private func directory(_ name: String) -> FilePath? {
        variable(name).map { FilePath($0) }.flatMap { $0.isAbsolute ? $0 : nil }
    }
}

extension Surroundings {
    /// The process's own.
    package static func ofProcess() -> Surroundings {
        var surroundings = Surroundings(
            variables: environment(),
            workingDirectory: currentDirectory(),
            isRoot: geteuid() == 0,
            outputIsTerminal: isatty(STDOUT_FILENO) == 1,
            errorIsTerminal: isatty(STDERR_FILENO) == 1,
            columns: terminalWidth(),
            write: { (stream, bytes) throws(CommandError) in
                try writeAll(bytes, to: stream == .output ? .standardOutput : .standardError)
            },
            readInput: { limit in try await StandardInput.read(limit: limit) },
            now: {
                var time = timespec()
                clock_gettime(CLOCK_REALTIME, &time)
                return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
            }
        )
        surroundings.inputIsTerminal = isatty(STDIN_FILENO) == 1
        surroundings.readLine = { await StandardInput.readLine() }
        return surroundings
    }

    private static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var next = environ
        while let entry = next.pointee {
            let text = String(cString: entry)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            next += 1
        }
        return variables
    }

    private static func currentDirectory() -> FilePath {
        guard let text = getcwd(nil, 0) else { return FilePath("/") }
        defer { free(text) }
        return FilePath(String(cString: text))
    }

    private static func terminalWidth() -> Int {
        var size = winsize()
        guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
        return Int(size.ws_col)
    }

    /// Blocks while the reader of a pipe is slow: the command has nothing better to do than to wait for it.
    private static func writeAll(_ bytes: [UInt8], to stream: FileDescriptor) throws(CommandError) {
        do {
            _ = try stream.writeAll(bytes)
        } catch {
            throw CommandError(.outputClosed, "cannot write the output: \(error)")
        }
    }
}
