import Glibc

/// The start of a program.
enum Spawn {
    /// Starts it in a session of its own, with nothing inherited but its three standard descriptors.
    ///
    /// - Parameters:
    ///   - input: where it reads from; -1 for nothing.
    ///   - output: -1 for this process's standard output.
    ///   - error: -1 for this process's standard error.
    ///   - extra: one descriptor more, and by which number the program gets it.
    /// - Returns: its number, or the negative error.
    static func start(
        _ arguments: [String],
        environment: [String],
        directory: String,
        input: Int32,
        output: Int32,
        error: Int32,
        extra: (descriptor: Int32, number: Int32)? = nil
    ) -> pid_t {
        guard chdir(directory) == 0 else { return -errno }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        if input >= 0 {
            posix_spawn_file_actions_adddup2(&actions, input, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        if output >= 0 { posix_spawn_file_actions_adddup2(&actions, output, 1) }
        if error >= 0 { posix_spawn_file_actions_adddup2(&actions, error, 2) }
        if let extra { posix_spawn_file_actions_adddup2(&actions, extra.descriptor, extra.number) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var defaults = sigset_t()
        sigemptyset(&defaults)
        sigaddset(&defaults, SIGPIPE)
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        let newSession: Int16 = 0x80  // POSIX_SPAWN_SETSID (spawn.h)
        posix_spawnattr_setflags(&attributes, newSession | Int16(POSIX_SPAWN_SETSIGDEF))
        return withStrings(arguments) { argv in
            withStrings(environment) { envp in
                guard argv[0] != nil, let path = ProgramSearch.path(of: arguments[0], environment) else {
                    return -ENOENT
                }
                var process: pid_t = 0
                let result = posix_spawn(&process, path, &actions, &attributes, argv, envp)
                return result == 0 ? process : -result
            }
        }
    }

    /// The texts as C has them, in one block of memory.
    private static func withStrings<Result>(
        _ texts: [String],
        _ body: (UnsafePointer<UnsafeMutablePointer<CChar>?>) -> Result
    ) -> Result {
        var block: [CChar] = []
        var offsets: [Int] = []
        block.reserveCapacity(texts.reduce(0) { $0 + $1.utf8.count + 1 })
        for text in texts {
            offsets.append(block.count)
            for byte in text.utf8 { block.append(CChar(bitPattern: byte)) }
            block.append(0)
        }
        return block.withUnsafeMutableBufferPointer { memory in
            var pointers: [UnsafeMutablePointer<CChar>?] = offsets.map { offset in
                memory.baseAddress.map { $0 + offset }
            }
            pointers.append(nil)
            return body(pointers)
        }
    }
}
