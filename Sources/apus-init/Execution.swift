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

    /// Starts it, in that shell where it is for that.
    ///
    /// - Returns: the execution, or why there is none.
    static func start(_ order: InitFrame.Execution, in spare: SpareShell?) -> (Execution?, String) {
        if let spare {
            if spare.take(order) { return (Execution(order, spare.process, spare.streams), "") }
            spare.dismiss()
        }
        var input: Int32 = -1
        if !order.standardInput.isEmpty {
            input = open(order.standardInput, O_RDONLY | O_CLOEXEC)
            guard input >= 0 else { return (nil, "its standard input cannot be opened: \(message(errno))") }
        }
        defer { if input >= 0 { close(input) } }
        let own = Set(order.own.map { $0.prefix { $0 != "=" } })
        let environment = order.environment.filter { !own.contains($0.prefix { $0 != "=" }) } + order.own
        switch spawn(order.arguments, environment: environment, directory: order.directory, input: input) {
        case .success(let started): return (Execution(order, started.process, started.streams), "")
        case .failure(let problem): return (nil, problem.message)
        }
    }

    private init(_ order: InitFrame.Execution, _ process: pid_t, _ streams: (output: Int32, error: Int32)) {
        (id, self.process, self.streams) = (order.id, process, streams)
        deadline = order.timeout == 0 ? nil : Descriptors.now() + order.timeout
        gracePeriod = order.gracePeriod
    }

    struct Problem: Error {
        let message: String
    }

    /// Starts a program, with a pipe for each of its output streams.
    ///
    /// - Parameter extra: a descriptor that the program gets, and by which number.
    static func spawn(
        _ arguments: [String],
        environment: [String],
        directory: String,
        input: Int32,
        extra: (descriptor: Int32, number: Int32)? = nil
    ) -> Result<(process: pid_t, streams: (output: Int32, error: Int32)), Problem> {
        guard let output = Descriptors.pipe(nonBlocking: false) else {
            return .failure(Problem(message: "no pipe: \(message(errno))"))
        }
        guard let error = Descriptors.pipe(nonBlocking: false) else {
            for end in [output.read, output.write] { close(end) }
            return .failure(Problem(message: "no pipe: \(message(errno))"))
        }
        let process = Spawn.start(
            arguments, environment: environment, directory: directory, input: input, output: output.write,
            error: error.write, extra: extra)
        close(output.write)
        close(error.write)
        guard process > 0 else {
            close(output.read)
            close(error.read)
            let program = arguments.first ?? ""
            return .failure(Problem(message: "\(program) cannot be executed in \(directory): \(message(-process))"))
        }
        Descriptors.setNonBlocking(output.read)
        Descriptors.setNonBlocking(error.read)
        return .success((process, (output.read, error.read)))
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
