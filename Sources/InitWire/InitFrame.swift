/// What Apus and `apus-init`, the first process of an instance, say to each other over the control socket.
///
/// On the wire: the length of what follows (4 bytes, little-endian), the kind (1 byte), the fields. Numbers are little-endian;
/// texts and lists have their length or count (4 bytes) before them.
package enum InitFrame: Sendable, Hashable {
    /// What both sides must agree on; `ready` tells init's.
    package static let version: UInt32 = 2

    /// The two output streams.
    package enum Stream: UInt8, Sendable, Hashable {
        case output = 1
        case error = 2
    }

    // MARK: To init

    /// Execute a program once.
    case execute(Execution)
    /// End that execution: SIGTERM to all that it started and, after its grace period, SIGKILL.
    case cancel(id: UInt32)
    /// Start the one program of this instance; its descriptors come with this frame.
    case boot(Boot)

    // MARK: From init

    /// The first frame.
    case ready(version: UInt32)
    /// What the execution's program, or one that it started, has written.
    case output(id: UInt32, stream: Stream, bytes: [UInt8])
    /// None of its processes is left, and all of its output was sent.
    case ended(id: UInt32, End)
    /// The execution did not begin.
    case refused(id: UInt32, message: String)
    /// The instance's program was started; with a port: something accepts connections on it.
    case booted(port: UInt16)
    /// The instance's program has ended; nothing follows.
    case programEnded(End)
}

extension InitFrame {
    /// One program to be executed, with what it sees.
    package struct Execution: Sendable, Hashable {
        package var id: UInt32
        /// The path of the program and its arguments.
        package var arguments: [String]
        /// Each `NAME=value`: what all executions of the instance see.
        package var environment: [String]
        /// Each `NAME=value`: what only this one sees; wins over `environment`.
        package var own: [String]
        package var directory: String
        /// The file to read from; empty for none.
        package var standardInput: String
        /// In milliseconds from the start; 0 is without limit.
        package var timeout: UInt64
        /// In milliseconds, between SIGTERM and SIGKILL.
        package var gracePeriod: UInt64

        package init(
            id: UInt32,
            arguments: [String],
            environment: [String],
            own: [String] = [],
            directory: String,
            standardInput: String = "",
            timeout: UInt64 = 0,
            gracePeriod: UInt64 = 0
        ) {
            self.id = id
            self.arguments = arguments
            self.environment = environment
            self.own = own
            self.directory = directory
            self.standardInput = standardInput
            self.timeout = timeout
            self.gracePeriod = gracePeriod
        }
    }

    /// The one program of an instance that lives as long as the instance.
    package struct Boot: Sendable, Hashable {
        /// How the program is spoken to.
        package enum Kind: UInt8, Sendable, Hashable {
            /// By lines; two descriptors come along, its standard input and its standard output.
            case lines = 1
            /// By a port; one descriptor comes along, a socket that listens and whose connections are led to that port.
            case port = 2
        }

        package var kind: Kind
        package var arguments: [String]
        /// Each `NAME=value`.
        package var environment: [String]
        package var directory: String
        /// Where the program listens; 0 lets init choose a free one.
        ///
        /// The program is told in `PORT`.
        package var port: UInt16

        package init(
            kind: Kind,
            arguments: [String],
            environment: [String],
            directory: String,
            port: UInt16 = 0
        ) {
            self.kind = kind
            self.arguments = arguments
            self.environment = environment
            self.directory = directory
            self.port = port
        }
    }

    /// How a program ended, and what it and all that it started used.
    package struct End: Sendable, Hashable {
        /// The exit code, or the signal that ended it.
        package var code: Int32
        package var isSignal: Bool
        package var isTimedOut: Bool
        /// User and system time in microseconds.
        package var cpuTime: UInt64
        /// Of the largest single process, in bytes.
        package var peakMemory: UInt64

        package init(
            code: Int32,
            isSignal: Bool,
            isTimedOut: Bool = false,
            cpuTime: UInt64 = 0,
            peakMemory: UInt64 = 0
        ) {
            self.code = code
            self.isSignal = isSignal
            self.isTimedOut = isTimedOut
            self.cpuTime = cpuTime
            self.peakMemory = peakMemory
        }
    }
}
