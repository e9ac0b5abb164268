import Glibc
import InitWire

/// One program that is executed once, with all that it starts.
struct Execution {
    let id: UInt32
    let process: pid_t
    /// Where its standard output and standard error arrive; -1 where nothing comes any more.
    var streams: (output: Int32, error: Int32)
    /// When its time is over.
    var deadline: UInt64?
    let gracePeriod: UInt64
    /// When what was asked to end is ended.
    var killTime: UInt64?
    var isTimedOut = false
    /// How it ended, as `wait4` says.
    var status: Int32?
    var usage = Usage()
    /// None of its processes is left.
    var isEmpty = false

    var end: InitFrame.End {
        InitFrame.End(
            status: status ?? 0, isTimedOut: isTimedOut, cpuTime: usage.cpuTime, peakMemory: usage.peakMemory)
    }

    /// Starts it.
    ///
    /// - Returns: the execution, or why there is none.
    static func start(_ order: InitFrame.Execution) -> (Execution?, String) {
        var input: Int32 = -1
        if !order.standardInput.isEmpty {
            input = open(order.standardInput, O_RDONLY | O_CLOEXEC)
            guard input >= 0 else { return (nil, "its standard input cannot be opened: \(message(errno))") }
        }
        defer { if input >= 0 { close(input) } }
        guard let output = Descriptors.pipe(nonBlocking: false) else { return (nil, "no pipe: \(message(errno))") }
        guard let error = Descriptors.pipe(nonBlocking: false) else {
            for end in [output.read, output.write] { close(end) }
            return (nil, "no pipe: \(message(errno))")
        }
        let process = Spawn.start(
            order.arguments, environment: order.environment, directory: order.directory, input: input,
            output: output.write, error: error.write
        )
        close(output.write)
        close(error.write)
        guard process > 0 else {
            close(output.read)
            close(error.read)
            let program = order.arguments.first ?? ""
            return (nil, "\(program) cannot be executed in \(order.directory): \(message(-process))")
        }
        Descriptors.setNonBlocking(output.read)
        Descriptors.setNonBlocking(error.read)
        let execution = Execution(
            id: order.id, process: process, streams: (output.read, error.read),
            deadline: order.timeout == 0 ? nil : Descriptors.now() + order.timeout, gracePeriod: order.gracePeriod
        )
        return (execution, "")
    }

    /// Asks all that it started to end, once.
    mutating func stop() {
        guard killTime == nil, status == nil else { return }
        killTime = Descriptors.now() + gracePeriod
        ProcessTree.signal(SIGTERM)
    }

    /// Does what the time asks for.
    mutating func keepTime() {
        guard status == nil else { return }
        if let deadline, killTime == nil, Descriptors.now() >= deadline {
            isTimedOut = true
            stop()
        }
        if let killTime, Descriptors.now() >= killTime { ProcessTree.signal(SIGKILL) }
    }

    /// When to look again, in milliseconds from now; -1 for not by itself.
    var patience: Int32 {
        if status != nil { return isEmpty ? -1 : 2 }
        guard let next = killTime ?? deadline else { return -1 }
        let now = Descriptors.now()
        // A moment between two rounds of SIGKILL.
        return next <= now ? 5 : Int32(clamping: next - now)
    }

    private static func message(_ code: Int32) -> String { String(cString: strerror(code)) }
}

extension InitFrame.End {
    /// - Parameter status: as `wait4` says.
    init(status: Int32, isTimedOut: Bool = false, cpuTime: UInt64 = 0, peakMemory: UInt64 = 0) {
        let number = status & 0x7F
        self.init(
            code: number == 0 ? (status >> 8) & 0xFF : number, isSignal: number != 0, isTimedOut: isTimedOut,
            cpuTime: cpuTime, peakMemory: peakMemory
        )
    }
}
