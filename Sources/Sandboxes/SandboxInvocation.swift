package import Model
package import SystemPackage

/// One execution of a script: everything a sandbox needs to know.
package struct SandboxInvocation: Sendable {
    /// The name of the job or run: 1 to 120 of `A-Za-z0-9._-`, unique among the running ones.
    package var id: String
    /// The image to run in; ignored by the process sandbox.
    package var image: String?
    /// An existing directory, private to this invocation, in which the sandbox may make files of its own.
    ///
    /// The caller removes it afterwards.
    package var workDirectory: FilePath
    /// An existing directory with the staged input.
    package var inputDirectory: FilePath
    /// An existing, empty directory; the script writes its results there.
    package var outputDirectory: FilePath
    /// An existing directory with `script.sh` and `function_config.yaml`; the script cannot rely on writing to it.
    package var configDirectory: FilePath
    /// The name of the input file in `inputDirectory`, or `nil` where the input is not one file.
    package var inputFileName: String?
    /// The environment of the service; what the sandbox sets itself wins.
    package var environment: [String: String]
    /// 0 is without limit.
    package var cpu: MilliCPU
    /// 0 is without limit.
    package var memory: ByteCount
    /// From the start of the script; `nil` is without limit.
    package var timeout: Duration?
    /// Between SIGTERM and SIGKILL.
    package var gracePeriod: Duration
    /// A file that the script reads as its standard input; `nil` is an empty one.
    package var standardInput: FilePath?
    /// Directories of this machine that a container sees; ignored by the process sandbox.
    package var binds: [SandboxBind] = []

    package init(
        id: String,
        image: String? = nil,
        workDirectory: FilePath,
        inputDirectory: FilePath,
        outputDirectory: FilePath,
        configDirectory: FilePath,
        inputFileName: String? = nil,
        environment: [String: String] = [:],
        cpu: MilliCPU = .zero,
        memory: ByteCount = .zero,
        timeout: Duration? = nil,
        gracePeriod: Duration = .seconds(10),
        standardInput: FilePath? = nil
    ) {
        self.id = id
        self.image = image
        self.workDirectory = workDirectory
        self.inputDirectory = inputDirectory
        self.outputDirectory = outputDirectory
        self.configDirectory = configDirectory
        self.inputFileName = inputFileName
        self.environment = environment
        self.cpu = cpu
        self.memory = memory
        self.timeout = timeout
        self.gracePeriod = gracePeriod
        self.standardInput = standardInput
    }
}

/// A directory of this machine that a container sees beside its own files.
package struct SandboxBind: Sendable, Hashable {
    /// An absolute path.
    package let inside: String
    /// An existing directory.
    package let outside: FilePath
    package let isWritable: Bool

    package init(inside: String, outside: FilePath, isWritable: Bool) {
        (self.inside, self.outside, self.isWritable) = (inside, outside, isWritable)
    }

    var mount: ContainerConfiguration.Bind { (inside, outside, isWritable) }
}

extension SandboxInvocation {
    /// What the invocation is about, as programs get it that take calls; what is no document is passed on as text.
    package var event: JSONValue? { environment["EVENT"].map { (try? JSONValue.parse($0)) ?? .string($0) } }
}

/// A piece of what a script wrote.
package struct SandboxOutput: Sendable, Hashable {
    /// The two streams of a script.
    package enum Stream: String, Sendable, Hashable, CaseIterable {
        case standardOutput
        case standardError
    }

    package let stream: Stream
    /// As written, never empty, at most one pipe buffer (64 KiB on Linux).
    package let bytes: [UInt8]

    package init(stream: Stream, bytes: [UInt8]) {
        self.stream = stream
        self.bytes = bytes
    }
}

/// How an execution ended, and what it used.
package struct SandboxOutcome: Sendable, Hashable {
    /// The ways a script can end.
    package enum Ending: Sendable, Hashable {
        case exited(Int32)
        /// Ended by that signal. The container sandbox also says so where the script exits with 128 + signal, because
        /// OCI runtimes do not tell the two apart.
        case signalled(Int32)
        /// Ended by the sandbox because its time was over.
        case timedOut
        /// Ended because it needed more than its memory.
        case outOfMemory
        /// The program of a resident instance answered that it could not do it, with these words.
        case refused(String)
    }

    package let ending: Ending
    /// When the script's process was started.
    package let startedAt: Instant
    /// User and system time of the whole process tree, in a resident program while it worked on this; `nil` where nobody
    /// can tell.
    package let cpuTime: Duration?
    /// The highest use of memory meanwhile: of the whole process tree, page cache included, or, without control groups, of
    /// the process that used most; `nil` as above.
    package let peakMemory: ByteCount?

    package init(ending: Ending, startedAt: Instant, cpuTime: Duration? = nil, peakMemory: ByteCount? = nil) {
        self.ending = ending
        self.startedAt = startedAt
        self.cpuTime = cpuTime
        self.peakMemory = peakMemory
    }
}
