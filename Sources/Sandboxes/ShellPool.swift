import Glibc
import Synchronization
import SystemPackage

/// Shells that wait for orders, so that a script's start need not wait for the start of its process.
final class ShellPool: Sendable {
    private let command: [String]
    private let environment: [String]
    private let groups: ControlGroups?
    private let isRuntime: Bool
    private let size: Int
    private let state = Mutex(State())

    private struct State {
        var waiting: [ScriptProcess] = []
        /// Announced, not yet in `waiting`.
        var coming = 0
        var isClosed = false
    }

    /// - Parameters:
    ///   - size: how many shells wait; 0 starts each one when it is needed.
    ///   - command: the path of the shell, or of a program that becomes one, and its arguments.
    ///   - environment: what the shell sees, each `NAME=value`.
    ///   - isRuntime: whether the shells become container runtimes.
    init(
        size: Int,
        command: [String],
        environment: [String],
        groups: ControlGroups?,
        isRuntime: Bool = false
    ) {
        self.size = size
        self.command = command
        self.environment = environment
        self.groups = groups
        self.isRuntime = isRuntime
    }

    /// A shell in a fresh group without limits; started now where none waits.
    ///
    /// - Throws: `Errno` where no control group can be made.
    func take() throws(Errno) -> ScriptProcess {
        while let shell = state.withLock({ $0.waiting.popLast() }) {
            if !shell.hasEnded { return shell }
            // Nobody awaits this: the shell is dead, and only its group's directories are to be removed.
            Task { await shell.dismiss() }
        }
        return try start()
    }

    /// Starts as many shells as are missing, a moment later, so that they do not slow down the start of a script.
    func refillSoon() {
        guard size > 0 else { return }
        // Nobody awaits this; `close` makes it do nothing, or takes what it made.
        Task {
            try await Task.sleep(for: .milliseconds(5))
            await refill()
        }
    }

    /// Starts as many shells as are missing.
    func refill() async {
        while reserve() {
            guard let shell = try? start() else {
                // The next start says why.
                state.withLock { $0.coming -= 1 }
                return
            }
            let isWelcome = state.withLock { state in
                state.coming -= 1
                if !state.isClosed { state.waiting.append(shell) }
                return !state.isClosed
            }
            if !isWelcome { await shell.dismiss() }
        }
    }

    /// Ends the waiting shells; from now on none waits.
    func close() async {
        let shells = state.withLock { state in
            state.isClosed = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for shell in shells { await shell.dismiss() }
        while state.withLock({ $0.coming > 0 }) { await Pause.regardlessOfCancellation(.milliseconds(1)) }
    }

    private func reserve() -> Bool {
        state.withLock { state in
            guard !state.isClosed, state.waiting.count + state.coming < size else { return false }
            state.coming += 1
            return true
        }
    }

    private func start() throws(Errno) -> ScriptProcess {
        ScriptProcess(command: command, environment: environment, group: try groups?.makeGroup(), isRuntime: isRuntime)
    }
}
