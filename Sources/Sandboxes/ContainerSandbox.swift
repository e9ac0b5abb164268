import Glibc
package import Model
import Synchronization
package import SystemPackage

/// Runs scripts in OCI containers: the image's files below a private writable layer, namespaces and a network of their own,
/// no capabilities, filtered system calls, limits by control groups.
package final class ContainerSandbox: Sandbox {
    /// How the container sandbox is set up.
    package struct Settings: Sendable {
        /// The data directory of this Apus: what is left behind is found by it.
        package var dataDirectory: FilePath
        /// The network that is wanted: `.outbound`, which is taken where the machine offers it, or `.none`; `.host` is refused.
        package var network: SandboxNetwork
        /// The most processes and threads of one invocation.
        package var processLimit: Int
        /// How many shells wait for the next invocation; each takes about 1 MiB.
        package var waitingShells: Int
        /// The first process of instances; `nil` where there is none, and no instances then.
        package var initProgram: FilePath?

        package init(
            dataDirectory: FilePath,
            network: SandboxNetwork = .outbound,
            processLimit: Int = 4096,
            waitingShells: Int = 2,
            initProgram: FilePath? = InitProgram.find()
        ) {
            self.dataDirectory = dataDirectory
            self.network = network
            self.processLimit = processLimit
            self.waitingShells = waitingShells
            self.initProgram = initProgram
        }
    }

    package let kind = SandboxKind.container
    package let capabilities: SandboxCapabilities
    package let images: ImageStore

    let scope: String
    let runtime: ContainerRuntime
    let settings: Settings
    private let groups: ControlGroups
    private let pool: ShellPool
    private let networks: ContainerNetworks?
    private var state: FilePath { settings.dataDirectory.appending("runtime") }

    /// Finds the runtime that works here, by running a container.
    ///
    /// - Throws: `.unavailable`, which says what is missing and how to get it.
    package static func open(_ settings: Settings, images: ImageStore) async throws(SandboxError) -> ContainerSandbox {
        try await open(settings, images: images, families: ContainerRuntime.Family.allCases)
    }

    /// The same with some runtimes only, from the best one down.
    static func open(
        _ settings: Settings,
        images: ImageStore,
        families: [ContainerRuntime.Family]
    ) async throws(SandboxError) -> ContainerSandbox {
        guard settings.network != .host else {
            throw SandboxError(.invalid, "containers do not share the machine's network: choose none or outbound")
        }
        guard ContainerPlaces.isMountable(settings.dataDirectory), settings.dataDirectory.isAbsolute else {
            throw SandboxError(
                .unavailable,
                "containers need a data directory without commas, colons and backslashes in its absolute path, "
                    + "unlike \(settings.dataDirectory)"
            )
        }
        let scope = SystemFiles.shortName(of: settings.dataDirectory.lexicallyNormalized())
        guard let mounts = ControlGroupMounts.current() else {
            throw SandboxError(
                .unavailable, "containers need control groups for cpu, memory and pids; this machine has none")
        }
        let candidates = try ContainerRuntime.candidates(mounts, families)
        let offer = ControlGroups.offer(name: "apus-\(scope)-c", wanted: true)
        guard let groups = offer.groups else {
            throw SandboxError(.unavailable, "containers cannot be used: \(offer.sentence)")
        }
        var failures: [String] = []
        for runtime in candidates {
            let probe = ContainerSandbox(
                settings, images, scope, runtime, groups, waiting: 0, networks: nil, sentences: [])
            do {
                try await probe.tryOut()
            } catch {
                failures.append("\(runtime.family): \(error.message)")
                continue
            }
            let network = ContainerNetworks.offer(
                wanted: settings.network, scope: scope, directory: settings.dataDirectory.appending("networks")
            )
            let sentences = [
                "Scripts run in containers of \(runtime.program).", offer.sentence, network.sentence,
            ]
            return ContainerSandbox(
                settings, images, scope, runtime, groups, waiting: settings.waitingShells, networks: network.networks,
                sentences: sentences
            )
        }
        // A killed Apus may have left something from when containers worked.
        await groups.removeRoots()
        await MarkedProcesses(mark: "\(scope)/container/").remove()
        for name in ["networks", "runtime"] { SystemFiles.removeTree(settings.dataDirectory.appending(name)) }
        let reasons = failures.joined(separator: "; ")
        throw SandboxError(.unavailable, "no container could be started on this machine: \(reasons)")
    }

    private init(
        _ settings: Settings,
        _ images: ImageStore,
        _ scope: String,
        _ runtime: ContainerRuntime,
        _ groups: ControlGroups,
        waiting: Int,
        networks: ContainerNetworks?,
        sentences: [String]
    ) {
        (self.settings, self.images, self.scope, self.runtime) = (settings, images, scope, runtime)
        (self.groups, self.networks) = (groups, networks)
        capabilities = SandboxCapabilities(
            enforcesLimits: true, network: networks == nil ? .none : .outbound,
            hasInstances: settings.initProgram != nil, sentences: sentences
        )
        let unshare = SystemFiles.program("unshare") ?? "/usr/bin/unshare"
        pool = ShellPool(
            size: waiting, command: [unshare.string, "--mount", "--propagation", "private", "/bin/sh"],
            environment: [
                "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                "\(MarkedProcesses.variable)=\(scope)/container/run",
            ],
            groups: groups, isRuntime: true
        )
    }

    package func check(_ requirements: SandboxRequirements) async throws(SandboxError) {
        guard let image = requirements.image, !image.isEmpty else {
            throw SandboxError(
                .invalid, "a service in the container sandbox must name an image (or say sandbox: process)")
        }
        try await images.check(image)
        // Of an image that is yet to be fetched the first start tells.
        guard requirements.runsImageCommand, let known = await images.image(image) else { return }
        _ = try Self.command(of: known)
    }

    package func prepare(image: String, progress: @escaping @Sendable (String) -> Void) async throws(SandboxError) {
        try await images.add(image, progress: progress)
    }

    package func run(
        _ invocation: SandboxInvocation,
        output: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxOutcome {
        try invocation.checkForm()
        guard let name = invocation.image, !name.isEmpty else {
            throw SandboxError(.invalid, "the invocation \(invocation.id) names no image")
        }
        let (image, files) = try await images.use(name)
        let result: Result<SandboxOutcome, SandboxError>
        do throws(SandboxError) {
            result = .success(try await run(invocation, image.defaults, files, output))
        } catch {
            result = .failure(error)
        }
        await images.release(image)
        return try result.get()
    }

    package func removeLeftovers() async {
        await groups.removeAll()
        await MarkedProcesses(mark: "\(scope)/container/").remove()
        await removeForeignGroups(Self.groupPrefix(scope))
        // The state of containers that are no more; new ones make it again.
        try? await SystemFiles.offload { [state] in SystemFiles.removeTree(state) }
        await pool.refill()
        await networks?.refill()
    }

    package func shutDown() async {
        await pool.close()
        await networks?.close()
        await groups.removeRoots()
        // Empty by now; where not, the next start removes it.
        try? await SystemFiles.offload { [state] in SystemFiles.removeTree(state) }
    }

    /// The groups that runc makes in hierarchies that we do not use; they are empty when their container is gone.
    private func removeForeignGroups(_ prefix: String) async {
        guard runtime.family == .runc else { return }
        // A group that cannot be removed takes next to nothing.
        try? await SystemFiles.offload {
            for hierarchy in SystemFiles.names(in: "/sys/fs/cgroup") {
                let parent = FilePath("/sys/fs/cgroup").appending(hierarchy)
                for name in SystemFiles.names(in: parent) where name.hasPrefix(prefix) {
                    _ = parent.appending(name).withPlatformString { rmdir($0) }
                }
            }
        }
    }

    private static func groupPrefix(_ scope: String) -> String { "apus-\(scope)-runc-" }
}

extension ContainerSandbox {
    private func run(
        _ invocation: SandboxInvocation,
        _ defaults: ImageDefaults,
        _ files: FilePath,
        _ output: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxOutcome {
        try await withNetwork { network throws(SandboxError) in
            let places = ContainerPlaces(directory: invocation.workDirectory)
            let configuration = configuration(
                places, defaults, environment: environment(invocation, defaults),
                arguments: ContainerConfiguration.arguments(script: "\(ContainerConfiguration.configPath)/script.sh"),
                binds: [
                    (ContainerConfiguration.inputPath, invocation.inputDirectory, true),
                    (ContainerConfiguration.outputPath, invocation.outputDirectory, true),
                    (ContainerConfiguration.configPath, invocation.configDirectory, false),
                ] + invocation.binds.map(\.mount),
                network: network
            )
            let userID = defaults.userID
            return try await start(invocation, configuration, places, lower: files, output) {
                try Self.makeHome(places, files)
                guard userID != 0 else { return }
                // What the image's user must reach; the directories above them stay closed.
                try SystemFiles.changeMode(invocation.inputDirectory, 0o755)
                try SystemFiles.changeMode(invocation.outputDirectory, 0o777)
                try SystemFiles.changeMode(invocation.configDirectory, 0o755)
            }
        }
    }

    /// Calls the body with a network, which the next container gets afterwards.
    func withNetwork<Value>(
        _ body: (ContainerNetworks.Network?) async throws(SandboxError) -> Value
    ) async throws(SandboxError) -> Value {
        let network = try await networks?.take()
        defer { if let network { networks?.giveBack(network) } }
        return try await body(network)
    }

    /// What a container is made of beside what it is for.
    func configuration(
        _ places: ContainerPlaces,
        _ defaults: ImageDefaults,
        environment: [String: String],
        arguments: [String],
        binds: [ContainerConfiguration.Bind],
        network: ContainerNetworks.Network?
    ) -> ContainerConfiguration {
        var defaults = defaults
        if !defaults.workingDirectory.hasPrefix("/") { defaults.workingDirectory = "/" }
        var binds = [("/tmp", places.temporary, true)] + binds
        if let file = network?.nameServers { binds.append(("/etc/resolv.conf", file, false)) }
        return ContainerConfiguration(
            rootFileSystem: places.root, defaults: defaults, environment: environment, arguments: arguments,
            binds: binds, network: network?.namespace, groupPath: nil
        )
    }

    /// Makes the home directory of the user 0 where the image has none.
    static func makeHome(_ places: ContainerPlaces, _ files: FilePath) throws(Errno) {
        guard !SystemFiles.exists(files.appending("root")) else { return }
        try SystemFiles.makeDirectory(places.upper.appending("root"), mode: 0o700)
    }

    /// The variables that the image sets, and a path in any case.
    func imageEnvironment(_ defaults: ImageDefaults) -> [String: String] {
        var environment = ["PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        for variable in defaults.environment {
            let parts = variable.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            if parts.count == 2, !parts[0].isEmpty { environment[String(parts[0])] = String(parts[1]) }
        }
        return environment
    }

    private func environment(_ invocation: SandboxInvocation, _ defaults: ImageDefaults) -> [String: String] {
        var environment = imageEnvironment(defaults)
        let home = environment["HOME"] ?? (defaults.userID == 0 ? "/root" : "/tmp")
        environment.merge(invocation.environment) { $1 }
        let own = invocation.variables(
            input: ContainerConfiguration.inputPath, output: ContainerConfiguration.outputPath, home: home,
            temporary: "/tmp"
        )
        return environment.merging(own) { $1 }
    }

    /// Makes the bundle, and runs it to its end.
    func start(
        _ invocation: SandboxInvocation,
        _ configuration: ContainerConfiguration,
        _ places: ContainerPlaces,
        lower: FilePath,
        memory: InstanceMemory? = nil,
        _ output: @escaping @Sendable (SandboxOutput) async -> Void,
        prepare: @escaping @Sendable () throws -> Void
    ) async throws(SandboxError) -> SandboxOutcome {
        let shell: ScriptProcess
        do { shell = try pool.take() } catch {
            throw SandboxError(.startFailed, "a control group could not be made", cause: error)
        }
        pool.refillSoon()
        let name = "\(scope)-\(shell.group?.name ?? invocation.id)"
        var configuration = configuration
        if runtime.family == .runc { configuration.groupPath = Self.groupPrefix(scope) + (shell.group?.name ?? "") }
        do {
            let bytes = configuration.json.bytes()
            try await SystemFiles.offload { [state] in
                try SystemFiles.makeDirectory(state, mode: 0o700)
                try places.make(configuration: bytes)
                try prepare()
            }
        } catch {
            await shell.dismiss()
            throw SandboxError(
                .startFailed, "the container could not be made in \(places.directory): \(error)", cause: error)
        }
        var run = SandboxRun(
            shell: shell, invocation: invocation,
            limits: ResourceLimits(cpu: invocation.cpu, memory: invocation.memory, processes: settings.processLimit),
            failureFile: places.failure, marked: nil
        )
        run.codesTellSignals = true
        run.startAllowance = .milliseconds(100)
        run.killsAreCountedBelow = runtime.family == .runc
        memory?.use(run)
        let commands = runtime.commands(places, lower: lower, name: name, state: state, input: invocation.standardInput)
        let result: Result<SandboxOutcome, SandboxError>
        do throws(SandboxError) { result = .success(try await run.finish(commands: commands, output: output)) } catch {
            result = .failure(error)
        }
        // The runtime removes both itself, unless it was killed.
        if SystemFiles.exists(state.appending(name)) {
            SystemFiles.removeTree(state.appending(name))
            await removeForeignGroups(configuration.groupPath ?? "none")
        }
        let outcome = try result.get()
        if outcome.ending != .exited(0), outcome.ending != .timedOut, let reason = runtime.failure(in: places.log) {
            throw SandboxError(.startFailed, "the container of \(invocation.id) could not be started: \(reason)")
        }
        return outcome
    }

    /// Runs a container over directories of this machine, to see whether the runtime works.
    private func tryOut() async throws(SandboxError) {
        let directory = settings.dataDirectory.appending("runtime-check")
        let lower = directory.appending("lower")
        defer { SystemFiles.removeTree(directory) }
        do {
            SystemFiles.removeTree(directory)
            for path in [settings.dataDirectory, directory, lower] {
                try SystemFiles.makeDirectories(path, mode: 0o700)
            }
        } catch {
            throw SandboxError(.unavailable, "\(directory) could not be made", cause: error)
        }
        let system = ["/bin", "/lib", "/lib64", "/usr"].filter { SystemFiles.exists(FilePath($0)) }
        let configuration = ContainerConfiguration(
            rootFileSystem: ContainerPlaces(directory: directory).root, defaults: ImageDefaults(), environment: [:],
            arguments: ["/bin/sh", "-c", "exit 42"],
            binds: system.map { ($0, FilePath($0), false) }, network: nil, groupPath: nil
        )
        let invocation = SandboxInvocation(
            id: "check", workDirectory: directory, inputDirectory: directory, outputDirectory: directory,
            configDirectory: directory, timeout: .seconds(10), gracePeriod: .zero
        )
        let words = Mutex("")
        let outcome = try await start(invocation, configuration, ContainerPlaces(directory: directory), lower: lower) {
            piece in
            words.withLock { $0 += String(decoding: piece.bytes.prefix(500), as: UTF8.self) }
        } prepare: {
        }
        guard outcome.ending == .exited(42) else {
            throw SandboxError(.unavailable, "a container ended with \(outcome.ending): \(words.withLock { $0 })")
        }
    }
}
