import Model
import SystemPackage

extension ContainerSandbox {
    /// Where a container sees what belongs to its instance.
    private enum Inside {
        static let program = "/apus/init"
        static let control = "/apus/control"
        static let exchange = "/apus/files"
    }

    package func startInstance(
        _ specification: InstanceSpecification,
        log: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxInstance {
        let program = try InitProgram.required(settings.initProgram)
        let invocation = specification.invocation
        try invocation.checkForm()
        guard let name = specification.image, !name.isEmpty else {
            throw SandboxError(.invalid, "the instance \(specification.id) names no image")
        }
        let link = try await InstanceLink(InstanceDoor(in: specification.directory.appending("control")))
        let (image, files): (StoredImage, FilePath)
        let view: InstanceView
        do throws(SandboxError) {
            (image, files) = try await images.use(name)
        } catch {
            link.close(error)
            throw error
        }
        do throws(SandboxError) {
            view = try self.view(specification, image)
        } catch {
            link.close(error)
            await images.release(image)
            throw error
        }
        let memory = InstanceMemory()
        return try await SandboxInstance.start(specification, view, link, memory, log: log) {
            () async throws(SandboxError) in
            let result: Result<SandboxOutcome, SandboxError>
            do throws(SandboxError) {
                result = .success(try await self.live(invocation, image.defaults, files, program, memory: memory, log))
            } catch {
                result = .failure(error)
            }
            await self.images.release(image)
            return try result.get()
        }
    }

    private func view(_ specification: InstanceSpecification, _ image: StoredImage) throws(SandboxError)
        -> InstanceView
    {
        let defaults = image.defaults
        let command = try specification.runsImageCommand ? Self.command(of: image) : nil
        let exchange = specification.directory.appending("files")
        do { try SystemFiles.makeDirectory(exchange) } catch {
            throw SandboxError(.startFailed, "\(exchange) could not be made", cause: error)
        }
        let environment = imageEnvironment(defaults)
        let home = environment["HOME"] ?? (defaults.userID == 0 ? "/root" : "/tmp")
        let place = InstanceExchange(
            outside: exchange, inside: Inside.exchange, isForAnotherUser: defaults.userID != 0)
        var view = InstanceView(
            environment: environment, fixed: [:], script: "\(ContainerConfiguration.configPath)/script.sh",
            workingDirectory: defaults.workingDirectory.hasPrefix("/") ? defaults.workingDirectory : "/", home: home,
            temporary: "/tmp", hasOwnNetwork: true, exchange: place, callExchange: place
        )
        view.imageCommand = command
        return view
    }

    /// What the image's containers run by themselves.
    ///
    /// - Throws: `.invalid` where it names nothing; `.imageBroken` where nobody asked when it was unpacked.
    static func command(of image: StoredImage) throws(SandboxError) -> [String] {
        let name = image.names.first ?? image.digest
        guard let command = image.defaults.command else {
            throw SandboxError(
                .imageBroken,
                "the command of the image \(name) is not known, since an older Apus unpacked it; add it again: "
                    + "apus image add \(name)")
        }
        guard !command.isEmpty else {
            throw SandboxError(
                .invalid,
                "the image \(name) has no command of its own (neither an entry point nor a command), which "
                    + "default_command asks for: write a script, and default_command: false")
        }
        return command
    }

    /// Runs the container of an instance to its end.
    private func live(
        _ invocation: SandboxInvocation,
        _ defaults: ImageDefaults,
        _ files: FilePath,
        _ program: FilePath,
        memory: InstanceMemory,
        _ log: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxOutcome {
        try await withNetwork { network throws(SandboxError) in
            let directory = invocation.workDirectory
            let binds: [ContainerConfiguration.Bind] = [
                (Inside.program, program, false),
                (Inside.control, directory.appending("control"), false),
                (Inside.exchange, directory.appending("files"), true),
                (ContainerConfiguration.configPath, invocation.configDirectory, false),
            ]
            let configuration = configuration(
                ContainerPlaces(directory: directory), defaults, environment: imageEnvironment(defaults),
                arguments: [Inside.program, "\(Inside.control)/\(InstanceDoor.name)"],
                binds: binds + invocation.binds.map(\.mount), network: network
            )
            let user = defaults.userID
            return try await start(
                invocation, configuration, ContainerPlaces(directory: directory), lower: files, memory: memory, log
            ) {
                try Self.makeHome(ContainerPlaces(directory: directory), files)
                if user != 0 { try SystemFiles.changeMode(invocation.configDirectory, 0o755) }
            }
        }
    }
}
