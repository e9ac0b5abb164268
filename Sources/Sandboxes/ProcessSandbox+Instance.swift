import Glibc
import Model
import SystemPackage

extension ProcessSandbox {
    package func startInstance(
        _ specification: InstanceSpecification,
        log: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws(SandboxError) -> SandboxInstance {
        let program = try InitProgram.required(settings.initProgram)
        guard !specification.runsImageCommand else {
            throw SandboxError(.invalid, "a process has no image whose command could be started: use a container")
        }
        let invocation = specification.invocation
        try invocation.checkForm()
        let control = specification.directory.appending("control")
        let memory = InstanceMemory()
        let places = ProcessPlaces(invocation)
        let mark = "\(scope)/\(specification.id)"
        let files = specification.directory.appending("files")
        do { try SystemFiles.makeDirectory(files) } catch {
            throw SandboxError(.startFailed, "\(files) could not be made", cause: error)
        }
        let view = InstanceView(
            environment: settings.environment, fixed: [MarkedProcesses.variable: mark],
            script: specification.configDirectory.appending("script.sh").string, workingDirectory: places.home.string,
            home: places.home.string, temporary: places.temporary.string, hasOwnNetwork: false, exchange: nil,
            callExchange: InstanceExchange(outside: files, inside: files.string, isForAnotherUser: false)
        )
        let link = try await InstanceLink(InstanceDoor(in: control))
        return try await SandboxInstance.start(specification, view, link, memory, log: log) {
            () async throws(SandboxError) in
            try await self.carryOut(invocation, places, mark: mark, memory: memory, output: log) {
                "cd \(ShellText.quoted(control.string)) || fail 'its directory is not there'\n"
                    + "export \(MarkedProcesses.variable)=\(ShellText.quoted(mark))\n"
                    + "exec \(ShellText.quoted(program.string)) \(InstanceDoor.name) < /dev/null\n"
            }
        }
    }
}
