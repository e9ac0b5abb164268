extension ServiceDefinition {
    /// How many instances are kept warm where nothing is to do: `instances.min`, else what OSCAR's keys say.
    package var minimumInstances: Int { instances.minimum ?? scale.minimum }

    /// How many instances there may be at once; `nil` where only resources limit them.
    package var maximumInstances: Int? { instances.maximum ?? (expose.isExposed ? expose.maximumScale : nil) }

    /// What OSCAR's keys say of the least, and which of them.
    private var scale: (minimum: Int, field: String) {
        expose.isExposed
            ? (expose.minimumScale, "expose.min_scale") : (synchronous.minimumScale, "synchronous.min_scale")
    }

    /// Reads `mode`, `instances` and `server`, after `expose`: a service that is exposed is a server.
    mutating func readMode(_ reader: FieldReader) throws(ServiceSpecificationError) {
        let said = try reader.choice(
            "mode", lowercased: true, FunctionMode.init(rawValue:), "script, resident or server")
        mode = said ?? (expose.isExposed ? .server : .script)
        guard mode == .server || !expose.isExposed else {
            throw reader.invalid("mode", "an exposed service is a server: write server, or leave mode out")
        }
        instances = try InstanceRules(reader.object("instances"))
        let fields = try reader.object("server")
        guard mode == .server else {
            guard fields == nil else { throw reader.invalid("server", "goes only with mode: server") }
            return
        }
        guard expose.isExposed else {
            server = try FunctionServer.read(fields)
            return
        }
        guard fields == nil else {
            throw reader.invalid("server", "does not go with expose, whose api_port and health_path say the same")
        }
        guard let exposed = FunctionServer(expose, service: name) else {
            throw reader.invalid("expose.health_path", FunctionServer.unsuitablePath)
        }
        server = exposed
    }

    /// Checks what needs more than one field.
    func checkInstances(sandbox: SandboxKind) throws(ServiceSpecificationError) {
        func refuse(_ field: String, _ problem: String) -> ServiceSpecificationError {
            ServiceSpecificationError(.invalid, field: field, problem)
        }
        if instances.isFresh, mode != .script { throw refuse("instances.fresh", "goes only with mode: script") }
        if instances.concurrency > 1, mode == .script {
            throw refuse("instances.concurrency", "must be 1 with mode: script; resident and server can have more")
        }
        if instances.batch != nil, mode != .resident {
            throw refuse("instances.batch", "goes only with mode: resident")
        }
        if expose.defaultCommand, sandbox != .container {
            throw refuse("expose.default_command", "needs an image, and so sandbox: container")
        }
        if let most = maximumRuns, synchronous.minimumScale > most {
            throw refuse("synchronous.min_scale", "must not be more than max_scale, \(most)")
        }
        if expose.isExposed, expose.minimumScale > expose.maximumScale {
            throw refuse("expose.min_scale", "must not be more than max_scale, \(expose.maximumScale)")
        }
        try checkMinimum(refuse)
    }

    private func checkMinimum(
        _ refuse: (String, String) -> ServiceSpecificationError
    ) throws(ServiceSpecificationError) {
        let minimum = minimumInstances
        guard minimum > 0 else { return }
        let field = instances.minimum == nil ? scale.field : "instances.min"
        if instances.isFresh { throw refuse(field, "must be 0 with instances.fresh, which keeps nothing warm") }
        if let most = maximumInstances, minimum > most {
            throw refuse(field, "is \(minimum), more than the most instances there may be, \(most)")
        }
        let cpu = MilliCPU(cpuLimit.thousandths.saturatingProduct(with: Int64(minimum)))
        if let total = totalCPULimit, total < cpu {
            throw refuse(field, "\(minimum) instances need \(cpu) processors, more than total_cpu, \(total)")
        }
        let memory = ByteCount(memoryLimit.bytes.saturatingProduct(with: Int64(minimum)))
        if let total = totalMemoryLimit, total < memory {
            throw refuse(field, "\(minimum) instances need \(memory) of memory, more than total_memory, \(total)")
        }
    }

    /// What is not as it is by itself, or as `expose` says already.
    var modeMembers: Members {
        [
            ("mode", mode == .script || expose.isExposed ? nil : .string(mode.rawValue)),
            ("instances", instances.json()),
            ("server", expose.isExposed ? nil : server?.json()),
        ]
    }
}
