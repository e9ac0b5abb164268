package import Model
package import SystemPackage

/// A sandbox that is kept for many invocations of one service: everything a sandbox needs to know to start it.
package struct InstanceSpecification: Sendable {
    /// How the service's code is run in it.
    package enum Mode: Sendable, Hashable {
        /// The script is executed for each invocation, and none of its processes survives it.
        case script
        /// The script starts one program that takes invocations as JSON lines.
        case resident
        /// The script starts one program that serves HTTP on that port, which `PORT` tells it.
        ///
        /// In a process sandbox, which shares the machine's ports, `PORT` is another one, free at the start.
        case server(port: Int)
    }

    /// As `SandboxInvocation.id`: 1 to 120 of `A-Za-z0-9._-`, unique among running instances and invocations.
    package var id: String
    package var mode: Mode
    /// The image to run in; ignored by the process sandbox.
    package var image: String?
    /// An existing, empty directory, private to this instance, on the file system of its invocations' directories.
    ///
    /// The caller removes it when the instance has ended.
    package var directory: FilePath
    /// An existing directory with `script.sh` and `function_config.yaml`.
    package var configDirectory: FilePath
    /// The environment of the service; what the sandbox sets itself wins.
    package var environment: [String: String]
    /// Of the whole instance; 0 is without limit.
    package var cpu: MilliCPU
    /// Of the whole instance; 0 is without limit.
    package var memory: ByteCount
    /// Between SIGTERM and SIGKILL at its end.
    package var gracePeriod: Duration
    /// How many calls its program works on at once; at least 1, and 1 in mode script.
    package var concurrency: Int
    /// How the invocations of a resident instance are put together to one call; `nil` for one each.
    package var batch: Batch?
    /// Whether the image's own command is the program, instead of the script; only in mode server, and in containers.
    package var runsImageCommand = false
    /// As `SandboxInvocation.binds`.
    package var binds: [SandboxBind] = []

    /// Several invocations in one call.
    package struct Batch: Sendable, Hashable {
        /// At most so many; with these an instance takes that many times its concurrency at once.
        package var files: Int
        /// How long the first one waits for others.
        package var wait: Duration

        package init(files: Int, wait: Duration) { (self.files, self.wait) = (files, wait) }
    }

    package init(
        id: String,
        mode: Mode = .script,
        image: String? = nil,
        directory: FilePath,
        configDirectory: FilePath,
        environment: [String: String] = [:],
        cpu: MilliCPU = .zero,
        memory: ByteCount = .zero,
        gracePeriod: Duration = .seconds(10),
        concurrency: Int = 1,
        batch: Batch? = nil
    ) {
        self.id = id
        self.mode = mode
        self.image = image
        self.directory = directory
        self.configDirectory = configDirectory
        self.environment = environment
        self.cpu = cpu
        self.memory = memory
        self.gracePeriod = gracePeriod
        self.concurrency = concurrency
        self.batch = batch
    }

    /// How many invocations `run` takes at once.
    package var invocationsAtOnce: Int {
        switch mode {
        case .script: 1
        case .resident: max(1, concurrency) * max(1, batch?.files ?? 1)
        case .server: max(1, concurrency)
        }
    }

    /// The instance as one long invocation of `apus-init`.
    var invocation: SandboxInvocation {
        var invocation = SandboxInvocation(
            id: id, image: image, workDirectory: directory, inputDirectory: directory, outputDirectory: directory,
            configDirectory: configDirectory, environment: environment, cpu: cpu, memory: memory,
            gracePeriod: gracePeriod
        )
        invocation.binds = binds
        return invocation
    }
}

/// Why an instance has ended.
package enum InstanceEnd: Sendable, Hashable {
    /// It was stopped.
    case stopped
    /// Its program has exited; in mode script nothing but a kill of its own first process brings that about.
    case exited(Int32)
    /// Its program was ended by that signal.
    case signalled(Int32)
    /// It needed more than its memory.
    case outOfMemory
    /// It could not be started, for that reason.
    case failed(String)

    init(_ result: Result<SandboxOutcome, SandboxError>) {
        switch result {
        case .success(let outcome):
            switch outcome.ending {
            case .exited(let code): self = .exited(code)
            case .signalled(let number): self = .signalled(number)
            case .timedOut, .refused: self = .stopped  // of executions only
            case .outOfMemory: self = .outOfMemory
            }
        case .failure(let error): self = error.code == .cancelled ? .stopped : .failed(error.message)
        }
    }
}
