import Glibc
import Model
import Subprocess
import Synchronization
import SystemPackage

/// A shell that waits for its orders, already in its control group, and then becomes the script (or the container runtime).
///
/// It reads commands from its standard input. So it can be started ahead of time, and where Apus is killed it reads the
/// end of its input and ends by itself. Joining a control group takes up to 10 ms on an idle machine (the kernel waits for
/// a grace period), which is why it is done ahead.
final class ScriptProcess: Sendable {
    /// What the shell is told to do.
    struct Orders: Sendable {
        /// Shell commands that end with an `exec`.
        ///
        /// Where `$unjoined` is set, the shell could not join its control group.
        var commands: String
        var output: @Sendable (SandboxOutput) async -> Void
    }

    /// `nil` where the machine has none for us.
    let group: ControlGroup?
    private let life: Life
    private let isRuntime: Bool
    private let orders: AsyncStream<Orders>.Continuation
    private let task: Task<TerminationStatus, any Error>

    /// Starts the shell.
    ///
    /// - Parameters:
    ///   - command: the path of the shell, or of a program that becomes one, and its arguments.
    ///   - environment: all of it, each `NAME=value`.
    ///   - isRuntime: whether it becomes a container runtime, which is not to be asked to end.
    ///   - prelude: commands that the shell carries out at once.
    init(
        command: [String],
        environment: [String],
        group: ControlGroup?,
        isRuntime: Bool = false,
        prelude: String = ""
    ) {
        _ = Self.ignoreBrokenPipes
        self.group = group
        self.isRuntime = isRuntime
        let (stream, continuation) = AsyncStream.makeStream(of: Orders.self, bufferingPolicy: .bufferingOldest(1))
        orders = continuation
        let life = Life(group: group)
        self.life = life
        let join = (group?.joinFiles ?? []).map { "echo 0 > \(ShellText.quoted($0.string)) || unjoined=yes\n" }
        let text = join.joined() + prelude
        // Awaited by `run` or `dismiss`. It stands alone so that a cancelled caller does not make swift-subprocess end the
        // shell by SIGKILL at once: the whole tree gets SIGTERM first, from `end`.
        task = Task {
            try await Self.live(command: command, environment: environment, prelude: text, orders: stream, life: life)
        }
    }

    /// Gives the orders, and waits for the end of the shell and of its output.
    func run(_ given: Orders) async throws -> TerminationStatus {
        orders.yield(given)
        orders.finish()
        return try await task.value
    }

    /// Ends a shell that got no orders, and removes its group.
    func dismiss() async {
        orders.finish()
        _ = try? await task.value  // how it ended does not matter
        await group?.remove()
    }

    /// `nil` before its start and after its end.
    var processID: pid_t? { life.processID }

    /// Whether the shell is gone though nobody told it to.
    var hasEnded: Bool { life.hasExited }

    /// Sends SIGTERM to the whole tree and, after the grace period, SIGKILL until it is gone.
    ///
    /// Returns early where the task is cancelled.
    func end(gracePeriod: Duration, marked: MarkedProcesses?) async {
        do {
            let deadline = ContinuousClock.now + gracePeriod
            if isRuntime {
                // A runtime would end without its container, so it is spared; its container may have yet to start.
                while life.signalDescendants(SIGTERM) == 0, ContinuousClock.now < deadline {
                    try await Task.sleep(for: .milliseconds(10))
                }
            } else {
                life.signal(SIGTERM)
                await marked?.signal(SIGTERM)
            }
            try await Task.sleep(until: deadline)
            while true {
                life.signal(SIGKILL)
                await marked?.signal(SIGKILL)
                try await Task.sleep(for: .milliseconds(20))
            }
        } catch {
            return  // cancelled: the process has ended
        }
    }

    /// Writing orders to a shell that was killed must fail with an error instead of ending Apus.
    private static let ignoreBrokenPipes: Void = { _ = signal(SIGPIPE, SIG_IGN) }()
}

extension ScriptProcess {
    private static func live(
        command: [String],
        environment: [String],
        prelude: String,
        orders: AsyncStream<Orders>,
        life: Life
    ) async throws -> TerminationStatus {
        try await DescriptorRoom.wait()
        var options = PlatformOptions()
        options.createSession = true
        let result = try await Subprocess.run(
            .path(FilePath(command.first ?? "/bin/sh")),
            arguments: Arguments(Array(command.dropFirst())),
            environment: .custom(environment.map { Array($0.utf8) }),
            workingDirectory: "/",
            platformOptions: options,
            input: .inputWriter,
            output: .sequence,
            error: .sequence
        ) { execution in
            life.begin(execution.processIdentifier.value)
            defer { life.finish() }
            _ = try await execution.standardInputWriter.write(prelude)
            guard let given = await orders.first(where: { _ in true }) else { return }
            _ = try await execution.standardInputWriter.write(given.commands)
            try await execution.standardInputWriter.finish()
            let (standardOutput, standardError) = (execution.standardOutput, execution.standardError)
            try await withThrowingTaskGroup(of: Void.self) { readers in
                readers.addTask {
                    try await Self.read(standardOutput, as: .standardOutput, life: life, output: given.output)
                }
                readers.addTask {
                    try await Self.read(standardError, as: .standardError, life: life, output: given.output)
                }
                try await readers.waitForAll()
            }
        }
        return result.terminationStatus
    }

    private static func read(
        _ pieces: SubprocessOutputSequence,
        as stream: SandboxOutput.Stream,
        life: Life,
        output: @Sendable (SandboxOutput) async -> Void
    ) async throws {
        for try await piece in pieces {
            await output(SandboxOutput(stream: stream, bytes: piece.withUnsafeBytes { Array($0) }))
            // A child that outlives the script and writes without end must not keep us reading.
            if life.hasExited { life.signal(SIGKILL) }
        }
    }
}

extension ScriptProcess {
    /// Which process it is, for as long as its number is certainly its own.
    fileprivate final class Life: Sendable {
        let group: ControlGroup?
        private let state = Mutex(State())

        private struct State {
            var processID: pid_t?
            var isOver = false
            /// Asked for before the process was there.
            var awaitedSignal: Int32?
        }

        init(group: ControlGroup?) { self.group = group }

        func begin(_ processID: pid_t) {
            state.withLock { state in
                state.processID = processID
                if let number = state.awaitedSignal { kill(-processID, number) }
            }
        }

        /// From here on the process may be reaped and its number given to another one.
        func finish() { state.withLock { $0.isOver = true } }

        var processID: pid_t? { state.withLock { $0.isOver ? nil : $0.processID } }

        var hasExited: Bool {
            state.withLock { state in
                guard !state.isOver, let processID = state.processID else { return state.isOver }
                var information = siginfo_t()
                // Asks without taking the status, which swift-subprocess will.
                let result = waitid(P_PID, id_t(processID), &information, WEXITED | WNOHANG | WNOWAIT)
                return result != 0 || information.si_signo == SIGCHLD
            }
        }

        /// Sends the signal to the members of the control group but the shell (or runtime) itself, and tells to how many.
        func signalDescendants(_ number: Int32) -> Int {
            let own = processID
            let descendants = (group?.members ?? []).filter { $0 != own }
            for descendant in descendants { kill(descendant, number) }
            return descendants.count
        }

        /// Sends the signal to the session's process group and to the control group.
        func signal(_ number: Int32) {
            state.withLock { state in
                if let processID = state.processID {
                    if !state.isOver { kill(-processID, number) }
                } else {
                    state.awaitedSignal = number
                }
            }
            guard let group else { return }
            if number == SIGKILL { group.kill9() } else { group.signal(number) }
        }
    }
}
