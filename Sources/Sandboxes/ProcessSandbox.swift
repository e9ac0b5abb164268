import Glibc
package import Model
import Subprocess
package import SystemPackage

/// Runs scripts as plain processes of this machine, each in its own session, control group and private directory.
///
/// For machines without a container runtime, for development, and for services that say so. It bounds cpu, memory and
/// processes where control groups can be made; files and network of the machine are not hidden from the script.
package final class ProcessSandbox: Sandbox {
    /// How the process sandbox is set up.
    package struct Settings: Sendable {
        /// The data directory of this Apus: what is left behind is found by it.
        package var dataDirectory: FilePath
        /// The most processes and threads of one invocation.
        package var processLimit: Int
        /// How many shells wait for the next invocation; each takes about 1 MiB.
        package var waitingShells: Int
        /// Whether control groups are used where they can be.
        package var usesControlGroups: Bool
        /// What every script sees beside its service's variables; `PATH` and `LANG` of the machine unless set otherwise.
        package var environment: [String: String]
        /// The first process of instances; `nil` where there is none, and no instances then.
        package var initProgram: FilePath?

        package init(
            dataDirectory: FilePath,
            processLimit: Int = 4096,
            waitingShells: Int = 2,
            usesControlGroups: Bool = true,
            environment: [String: String]? = nil,
            initProgram: FilePath? = InitProgram.find()
        ) {
            self.dataDirectory = dataDirectory
            self.processLimit = processLimit
            self.waitingShells = waitingShells
            self.usesControlGroups = usesControlGroups
            self.environment = environment ?? Self.basicEnvironment()
            self.initProgram = initProgram
        }

        /// What of the machine's environment a script sees.
        private static func basicEnvironment() -> [String: String] {
            var environment = ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
            for name in ["PATH", "LANG"] {
                if let value = getenv(name) { environment[name] = String(cString: value) }
            }
            return environment
        }
    }

    package let kind = SandboxKind.process
    package let capabilities: SandboxCapabilities

    let settings: Settings
    let scope: String
    private let groups: ControlGroups?
    private let pool: ShellPool

    /// Never fails: what the machine lacks is told by `capabilities`.
    package init(_ settings: Settings) {
        self.settings = settings
        scope = SystemFiles.shortName(of: settings.dataDirectory.lexicallyNormalized())
        let offer = ControlGroups.offer(name: "apus-\(scope)-p", wanted: settings.usesControlGroups)
        groups = offer.groups
        capabilities = SandboxCapabilities(
            enforcesLimits: offer.groups != nil, network: .host, hasInstances: settings.initProgram != nil,
            sentences: [
                "Scripts run as processes of this machine.", offer.sentence,
                InitProgram.sentence(settings.initProgram),
            ]
        )
        pool = ShellPool(
            size: settings.waitingShells, command: ["/bin/sh"],
            environment: settings.environment.map { "\($0.key)=\($0.value)" }, groups: offer.groups
        )
    }

    package func check(_ requirements: SandboxRequirements) async throws(SandboxError) {
        guard SystemFiles.isExecutable("/bin/sh") else {
            throw SandboxError(.unavailable, "this machine has no /bin/sh: install dash or another POSIX shell")
        }
    }

    package func prepare(image: String, progress: @escaping @Sendable (String) -> Void) async throws(SandboxError) {}

    package func run(
        _ invocation: SandboxInvocation,
        output: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxOutcome {
        try invocation.checkForm()
        let places = ProcessPlaces(invocation)
        let mark = "\(scope)/\(invocation.id)"
        return try await carryOut(invocation, places, mark: mark, memory: nil, output: output) {
            commands(invocation, places, mark: mark)
        }
    }

    /// Makes the directories, and runs the commands to their end in a control group of their own.
    ///
    /// - Parameter commands: end with an `exec`.
    func carryOut(
        _ invocation: SandboxInvocation,
        _ places: ProcessPlaces,
        mark: String,
        memory: InstanceMemory?,
        output: @escaping @Sendable (SandboxOutput) async -> Void,
        commands: () -> String
    ) async throws(SandboxError) -> SandboxOutcome {
        let shell: ScriptProcess
        do {
            try places.make()
            shell = try pool.take()
        } catch {
            throw SandboxError(
                .startFailed, "\(invocation.workDirectory) or a control group could not be made", cause: error)
        }
        pool.refillSoon()
        let run = SandboxRun(
            shell: shell, invocation: invocation,
            limits: ResourceLimits(
                cpu: invocation.cpu, memory: invocation.memory, processes: settings.processLimit
            ),
            failureFile: places.failure, marked: shell.group == nil ? MarkedProcesses(mark: mark) : nil
        )
        memory?.use(run)
        return try await run.finish(commands: prologue(invocation, places) + commands(), output: output)
    }

    package func removeLeftovers() async {
        await groups?.removeAll()
        await MarkedProcesses(mark: "\(scope)/").remove()
        await pool.refill()
    }

    package func shutDown() async {
        await pool.close()
        await groups?.removeRoots()
    }

    private func prologue(_ invocation: SandboxInvocation, _ places: ProcessPlaces) -> String {
        var text = SandboxRun.prologue(failureFile: places.failure)
        text += "ulimit -c 0\n"
        if groups == nil, invocation.memory > .zero {
            // Private writable memory of each process: what comes nearest to a limit on a machine without control groups.
            text += "ulimit -d \(invocation.memory.bytes / 1024)\n"
        }
        return text
    }

    private func commands(_ invocation: SandboxInvocation, _ places: ProcessPlaces, mark: String) -> String {
        var environment = settings.environment.merging(invocation.environment) { $1 }
        let own = invocation.variables(
            input: invocation.inputDirectory.string, output: invocation.outputDirectory.string,
            home: places.home.string, temporary: places.temporary.string
        )
        environment.merge(own) { $1 }
        environment[MarkedProcesses.variable] = mark
        var text = "cd \(ShellText.quoted(places.home.string)) || fail 'its directory is not there'\n"
        var others: [String] = []
        for (name, value) in environment.sorted(by: { $0.key < $1.key }) {
            if ShellText.isVariableName(name) {
                text += "export \(name)=\(ShellText.quoted(value))\n"
            } else {
                others.append(ShellText.quoted("\(name)=\(value)"))
            }
        }
        let script = ShellText.quoted(invocation.configDirectory.appending("script.sh").string)
        let input = ShellText.quoted(invocation.standardInput?.string ?? "/dev/null")
        let env = others.isEmpty ? "" : "env \(others.joined(separator: " ")) "
        return text + "exec \(env)/bin/sh \(script) < \(input)\n"
    }
}

/// The private directories of one invocation, or of an instance.
struct ProcessPlaces: Sendable {
    let home: FilePath
    let temporary: FilePath
    let failure: FilePath

    init(_ invocation: SandboxInvocation) {
        home = invocation.workDirectory.appending("home")
        temporary = invocation.workDirectory.appending("tmp")
        failure = invocation.workDirectory.appending("start-failed")
    }

    func make() throws(Errno) {
        try SystemFiles.makeDirectory(home, mode: 0o700)
        try SystemFiles.makeDirectory(temporary, mode: 0o700)
    }
}
