extension ServiceDefinition {
    /// Makes a definition from what a client sent, liberally as OSCAR does and more: keys in any case,
    /// unknown and legacy keys ignored, `null` for nothing, one value where a list is meant, numbers for
    /// quantities.
    ///
    /// What only the server decides (token, owner, namespace, bucket list) is left empty. Paths of inputs and
    /// outputs are normalised: `folder` alone becomes `<service>/folder` in S3-like storages.
    ///
    /// - Parameters:
    ///   - json: One service, as in `POST /system/services`.
    ///   - defaultSandbox: The sandbox of services that name none. With processes the image may be left out.
    /// - Returns: A definition in which every value is allowed.
    /// - Throws: `ServiceSpecificationError` whose message is the text for the client.
    package static func parse(
        _ json: JSONValue,
        defaultSandbox: SandboxKind = .container
    ) throws(ServiceSpecificationError) -> ServiceDefinition {
        let reader = try FieldReader(json)
        let sandbox = try sandbox(reader)
        try checkRequired(reader, needsImage: (sandbox ?? defaultSandbox) == .container)
        var definition = try read(reader)
        definition.sandbox = sandbox
        try definition.normalise()
        try definition.check()
        try definition.checkTotals()
        try definition.checkInstances(sandbox: sandbox ?? defaultSandbox)
        return definition
    }

    /// Reads what `storedJSON()` wrote, secrets and credentials included.
    ///
    /// - Throws: `ServiceSpecificationError` where it is not such a form.
    package init(stored json: JSONValue) throws(ServiceSpecificationError) {
        let reader = try FieldReader(json)
        self = try Self.read(reader)
        sandbox = try Self.sandbox(reader)
        token = try reader.string("token")
        owner = try reader.string("owner")
        namespace = try reader.string("namespace")
        bucketList = try reader.strings("bucket_list")
    }

    /// Fills what a client cannot see, and so sends back empty, from the definition that is to be replaced: values of
    /// secrets and passwords of clusters.
    ///
    /// What the client did set stays.
    package mutating func restoreHiddenValues(from previous: ServiceDefinition) {
        for (key, value) in environment.secrets where value.isEmpty {
            environment.secrets[key] = previous.environment.secrets[key] ?? ""
        }
        for (id, cluster) in clusters where cluster.user.isEmpty && cluster.password.isEmpty {
            guard let known = previous.clusters[id], known.endpoint == cluster.endpoint else { continue }
            clusters[id] = known
        }
    }

    private static func sandbox(_ reader: FieldReader) throws(ServiceSpecificationError) -> SandboxKind? {
        let text = try reader.string("sandbox")
        guard !text.isEmpty else { return nil }
        guard let kind = SandboxKind(rawValue: text.lowercased()) else {
            throw reader.invalid("sandbox", "\"\(text)\" is not a sandbox: write process or container")
        }
        return kind
    }

    /// Checks the fields that must be there, and names all that are missing in the words of OSCAR's
    /// validator.
    private static func checkRequired(_ reader: FieldReader, needsImage: Bool)
        throws(ServiceSpecificationError)
    {
        var missing: [(key: String, name: String)] = []
        if try reader.string("name").isEmpty { missing.append(("name", "Name")) }
        if needsImage, try reader.string("image").trimmingWhiteSpace().isEmpty {
            missing.append(("image", "Image"))
        }
        if try reader.string("script").isEmpty, try !runsImageCommand(reader) { missing.append(("script", "Script")) }
        guard let first = missing.first else { return }
        let sentences = missing.map { field in
            "Key: 'Service.\(field.name)' Error:Field validation for '\(field.name)' failed on the 'required' tag"
        }
        throw ServiceSpecificationError(
            .missing,
            field: first.key,
            "is required",
            message: "The service specification is not valid: \(sentences.joined(separator: "\n"))"
        )
    }

    /// Whether the image's own command is run, so that no script is needed.
    private static func runsImageCommand(_ reader: FieldReader) throws(ServiceSpecificationError) -> Bool {
        let expose = try ServiceDefinition.Expose(reader.object("expose"))
        return expose.isExposed && expose.defaultCommand
    }

    private static func read(_ reader: FieldReader) throws(ServiceSpecificationError) -> ServiceDefinition {
        let name = try readName(reader)
        var definition = ServiceDefinition(
            name: name,
            image: try reader.string("image").trimmingWhiteSpace(),
            script: try reader.string("script").normalisingLineEnds()
        )
        try definition.readResources(reader)
        try definition.readAccess(reader)
        definition.logLevel = LogLevel(rawValue: try reader.string("log_level").uppercased()) ?? .info
        definition.fileStageIn = try reader.bool("file_stage_in")
        definition.input = try readStorageList(reader, "input")
        definition.output = try readStorageList(reader, "output")
        definition.environment = try Environment(reader.object("environment"))
        definition.annotations = try reader.stringMap("annotations")
        definition.labels = try reader.stringMap("labels")
        definition.storageProviders = try StorageProviders(reader.object("storage_providers"))
        for (id, cluster) in try reader.objectMap("clusters") {
            definition.clusters[id] = try ClusterReference(cluster)
        }
        definition.expose = try Expose(reader.object("expose"))
        definition.mount = try readMount(reader)
        if let federation = try reader.object("federation") {
            definition.federation = try Federation(federation, service: name)
        }
        if let volume = try reader.object("volume") {
            definition.volume = try Volume(volume, service: name)
        }
        if let kserve = try reader.object("kserve") { definition.kserve = try KServe(kserve) }
        definition.timeout = try reader.duration("timeout")
        definition.retry = try RetryPolicy.read(reader)
        definition.failureOutput = try FailureOutput.read(reader, service: name)
        definition.schedules = try ServiceSchedule.read(reader)
        definition.retention = try Retention(reader.object("retention"))
        definition.queue = try QueueRules(reader)
        try definition.readMode(reader)
        return definition
    }

    private static func readName(_ reader: FieldReader) throws(ServiceSpecificationError) -> ServiceName {
        let text = try reader.string("name")
        do {
            return try ServiceName(text)
        } catch {
            throw reader.invalid("name", error.message)
        }
    }

    private mutating func readResources(_ reader: FieldReader) throws(ServiceSpecificationError) {
        clusterID = try reader.string("cluster_id")
        memory = try reader.quantity("memory") ?? memory
        cpu = try reader.quantity("cpu") ?? cpu
        totalMemory = try reader.quantity("total_memory")
        totalCPU = try reader.quantity("total_cpu")
        ephemeralStorage = try reader.quantity("ephemeral_storage_request")
        enableGPU = try reader.bool("enable_gpu")
        enableSGX = try reader.bool("enable_sgx")
        imagePrefetch = try reader.bool("image_prefetch")
        alpine = try reader.bool("alpine")
        interLinkNode = try reader.string("interlink_node_name")
        if let scale = try reader.object("synchronous") {
            synchronous.minimumScale = try scale.count("min_scale")
            synchronous.maximumScale = try scale.count("max_scale")
        }
    }

    private mutating func readAccess(_ reader: FieldReader) throws(ServiceSpecificationError) {
        imagePullSecrets = try reader.strings("image_pull_secrets")
        virtualOrganisation = try reader.string("vo")
        allowedUsers = try reader.strings("allowed_users").map { $0.trimmingWhiteSpace() }.filter {
            !$0.isEmpty
        }
        visibility =
            try reader.choice(
                "visibility",
                lowercased: true,
                Visibility.init(rawValue:),
                "private, restricted or public"
            )
            ?? .private
        let level = try reader.string("isolation_level")
        guard let isolation = IsolationLevel(rawValue: level.uppercased()) else {
            throw reader.invalid("isolation_level", "\"\(level)\" is not a level: write SERVICE or USER")
        }
        isolationLevel = isolation
    }
}

extension FieldReader {
    /// One of a few words; `nil` where there is none.
    func choice<Choice>(
        _ key: String,
        lowercased: Bool = false,
        _ make: (String) -> Choice?,
        _ words: String
    ) throws(Failure) -> Choice? {
        let text = try string(key)
        guard !text.isEmpty else { return nil }
        guard let choice = make(lowercased ? text.lowercased() : text) else {
            throw invalid(key, "\"\(text)\" is not allowed: write \(words)")
        }
        return choice
    }
}

extension String {
    /// With `\n` for `\r\n` and `\r`.
    func normalisingLineEnds() -> String {
        guard utf8.contains(0x0D) else { return self }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(utf8.count)
        var previous: UInt8 = 0
        for byte in utf8 {
            if byte == 0x0D {
                bytes.append(0x0A)
            } else if byte != 0x0A || previous != 0x0D {
                bytes.append(byte)
            }
            previous = byte
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
