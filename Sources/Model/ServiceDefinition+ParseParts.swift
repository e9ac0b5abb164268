extension ServiceDefinition.Environment {
    init(_ reader: FieldReader?) throws(ServiceSpecificationError) {
        self.init()
        guard let reader else { return }
        // Version 3 wrote `Variables`; keys match in any case, so that needs nothing more.
        variables = try reader.stringMap("variables")
        secrets = try reader.stringMap("secrets")
        try Self.check(variables, field: reader.field("variables"))
        try Self.check(secrets, field: reader.field("secrets"))
    }

    /// What POSIX lets into an environment: a name without `=`, and no U+0000 anywhere (environ(7)).
    private static func check(_ map: [String: String], field: String) throws(ServiceSpecificationError) {
        for (name, value) in map.sorted(by: { $0.key < $1.key }) {
            guard !name.isEmpty, !name.utf8.contains(UInt8(ascii: "=")), !name.utf8.contains(0) else {
                throw ServiceSpecificationError(
                    .invalid,
                    field: field,
                    "\"\(name)\" is not the name of an environment variable: it must not be empty or contain '='"
                )
            }
            guard !value.utf8.contains(0) else {
                throw ServiceSpecificationError(
                    .invalid,
                    field: "\(field).\(name)",
                    "must not contain U+0000"
                )
            }
        }
    }
}

extension ServiceDefinition.ClusterReference {
    init(_ reader: FieldReader) throws(ServiceSpecificationError) {
        self.init(
            endpoint: try reader.text("endpoint"),
            user: try reader.text("auth_user"),
            password: try reader.text("auth_password"),
            verifiesTLS: try reader.bool("ssl_verify", default: true)
        )
    }
}

extension ServiceDefinition.Expose {
    /// What the documents of OSCAR promise for an exposed service that says nothing.
    private enum Default {
        static let minimumScale = 1
        static let maximumScale = 10
        static let cpuThreshold = 80
    }

    init(_ reader: FieldReader?) throws(ServiceSpecificationError) {
        self.init()
        guard let reader else { return }
        minimumScale = try reader.count("min_scale")
        maximumScale = try reader.count("max_scale")
        ports = try reader.counts("api_port")
        cpuThreshold = try reader.count("cpu_threshold")
        rewriteTarget = try reader.bool("rewrite_target")
        nodePorts = try reader.counts("nodePort", dropsLeadingZero: false)
        defaultCommand = try reader.bool("default_command")
        setAuth = try reader.bool("set_auth")
        authType = try reader.choice("auth_type", Self.oneOf("basic", "forward"), "basic or forward") ?? ""
        healthPath = try reader.string("health_path")
        probeMode = try reader.choice("probe_mode", Self.oneOf("legacy", "direct"), "legacy or direct") ?? ""
        guard isExposed else { return }
        if minimumScale == 0 { minimumScale = Default.minimumScale }
        if maximumScale == 0 { maximumScale = Default.maximumScale }
        if cpuThreshold == 0 { cpuThreshold = Default.cpuThreshold }
        guard ports.allSatisfy({ (1...65_535).contains($0) }) else {
            throw reader.invalid("api_port", "a port is a number from 1 to 65535")
        }
        guard Set(ports).count == ports.count else { throw reader.invalid("api_port", "names a port twice") }
        guard cpuThreshold <= 100 else { throw reader.invalid("cpu_threshold", "is in percent: at most 100") }
        guard nodePorts.isEmpty || nodePorts.count == ports.count else {
            throw reader.invalid("nodePort", "must have as many ports as api_port, or none")
        }
    }

    private static func oneOf(_ words: String...) -> (String) -> String? {
        { words.contains($0) ? $0 : nil }
    }
}

extension ServiceDefinition.Federation {
    init(_ reader: FieldReader, service: ServiceName) throws(ServiceSpecificationError) {
        self.init()
        groupID = try reader.string("group_id", default: service.text)
        if groupID.isEmpty { groupID = service.text }
        topology = try reader.choice("topology", Topology.init(rawValue:), "none, star or mesh") ?? .none
        let delegations = ["static", "random", "load-based", "topsis"]
        delegation =
            try reader.choice(
                "delegation",
                { delegations.contains($0) ? $0 : nil },
                "static, random, load-based or topsis"
            ) ?? ""
        reschedulerThreshold = try reader.count("rescheduler_threshold")
        for member in try reader.objects("members") { members.append(try ServiceDefinition.Member(member)) }
    }
}

extension ServiceDefinition.Member {
    init(_ reader: FieldReader) throws(ServiceSpecificationError) {
        let kind = try reader.choice("type", lowercased: true, Kind.init(rawValue:), "oscar or endpoint")
        guard let kind else {
            throw ServiceSpecificationError(.missing, field: reader.field("type"), "is required")
        }
        self.init(kind: kind)
        clusterID = try reader.string("cluster_id")
        serviceName = try reader.string("service_name")
        url = try reader.string("url")
        verifiesTLS = try reader.bool("ssl_verify")
        priority = try reader.count("priority")
        headers = try reader.stringMap("headers")
    }
}

extension ServiceDefinition.Volume {
    init(_ reader: FieldReader, service: ServiceName) throws(ServiceSpecificationError) {
        let mountPath = try reader.string("mount_path")
        guard mountPath.hasPrefix("/") else {
            throw reader.invalid("mount_path", "must be an absolute path")
        }
        let reserved = ["/oscar/config", "/oscar/bin"]
        guard !reserved.contains(where: { mountPath == $0 || mountPath.hasPrefix($0 + "/") }) else {
            throw reader.invalid("mount_path", "must not be under /oscar/config or /oscar/bin")
        }
        if let problem = Self.problem(ofPath: mountPath) { throw reader.invalid("mount_path", problem) }
        self.init(mountPath: mountPath)
        size = try reader.quantity("size")
        name = try reader.string("name")
        if !name.isEmpty {
            do { _ = try VolumeName(name) } catch { throw reader.invalid("name", error.message) }
        }
        guard size != nil || !name.isEmpty else {
            throw reader.invalid("name", "a volume without a size must name an existing volume")
        }
        guard size?.isZero != true else { throw reader.invalid("size", "must be a valid positive quantity") }
        if name.isEmpty { name = service.text }
        lifecyclePolicy =
            try reader.choice(
                "lifecycle_policy",
                { ["delete", "retain"].contains($0) ? $0 : nil },
                "delete or retain"
            )
            ?? ""
    }

    /// What a container needs for itself, and what is no plain path; `nil` where the path will do.
    private static func problem(ofPath path: String) -> String? {
        let parts = path.utf8.split(separator: UInt8(ascii: "/")).map { Substring($0) }
        guard !parts.isEmpty, path != "/tmp", !parts.contains(".."), !parts.contains("."), !path.utf8.contains(0) else {
            return "must be a plain path below /, without . and .., and not /tmp itself"
        }
        let own = ["/proc", "/sys", "/dev", "/apus", "/tmp/apus-input", "/tmp/apus-output"]
        guard !own.contains(where: { path == $0 || path.hasPrefix($0 + "/") }) else {
            return "must not be under \(own.joined(separator: ", "))"
        }
        return nil
    }
}

extension ServiceDefinition.KServe {
    init(_ reader: FieldReader) throws(ServiceSpecificationError) {
        let kind = try reader.choice("type", Kind.init(rawValue:), "inference or llm_inference")
        guard let kind else {
            throw ServiceSpecificationError(.missing, field: reader.field("type"), "is required")
        }
        let storageURI = try reader.string("storage_uri")
        guard !storageURI.isEmpty else {
            throw ServiceSpecificationError(.missing, field: reader.field("storage_uri"), "is required")
        }
        self.init(kind: kind, storageURI: storageURI)
        let (inference, languageModel) = (try reader.object("inference"), try reader.object("llm_inference"))
        modelFormat = try inference?.string("model_format") ?? ""
        runtime = try inference?.string("runtime") ?? ""
        runtimeImage = try languageModel?.string("runtime_image") ?? ""
        try checkBlocks(reader, hasInference: inference != nil, hasLanguageModel: languageModel != nil)
        // The version's place has changed over OSCAR's releases (oscar-api.md section 12): both are read.
        apiVersion = try reader.string("api_version", default: inference?.string("api_version") ?? "v1")
        minimumScale = try reader.count("min_scale")
        maximumScale = try reader.count("max_scale", default: 1)
        cpu = try reader.quantity("cpu") ?? cpu
        memory = try reader.quantity("memory") ?? memory
        arguments = try reader.strings("args")
        environment = try reader.stringMap("env")
        enableGPU = try reader.bool("enable_gpu")
        setAuth = try reader.bool("set_auth", default: true)
    }

    private func checkBlocks(
        _ reader: FieldReader,
        hasInference: Bool,
        hasLanguageModel: Bool
    ) throws(ServiceSpecificationError) {
        switch kind {
        case .inference:
            guard !modelFormat.isEmpty else {
                throw ServiceSpecificationError(
                    .missing,
                    field: reader.field("inference.model_format"),
                    "is required"
                )
            }
            guard !hasLanguageModel else {
                throw reader.invalid("llm_inference", "does not go with type inference")
            }
        case .languageModel:
            guard !hasInference else {
                throw reader.invalid("inference", "does not go with type llm_inference")
            }
        }
    }
}
