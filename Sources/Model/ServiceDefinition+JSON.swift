extension ServiceDefinition {
    /// Who is shown the definition.
    package enum Audience: Sendable, Hashable {
        /// The administrator, the owner, or who else may change the service: sees its token and its storages'
        /// keys.
        case keeper
        /// Who may see and invoke the service, but not change it.
        case viewer
    }

    /// What a definition says about the cluster's own store, whose keys it never holds.
    package struct ClusterStore: Sendable, Hashable {
        package var endpoint: String
        package var verify: Bool
        package var region: String

        package init(endpoint: String, verify: Bool, region: String) {
            self.endpoint = endpoint
            self.verify = verify
            self.region = region
        }
    }

    /// The definition as OSCAR's API shows it: keys in OSCAR's order, our own last.
    ///
    /// Values of secrets and credentials of clusters are never shown.
    package func json(
        for audience: Audience,
        clusterStore: ClusterStore,
        deployment: JSONValue? = nil,
        volumeStatus: JSONValue = .object(["enabled": .bool(false)])
    ) -> JSONValue {
        let credentials: Credentials = audience == .keeper ? .shown : .hidden
        var members = leadingMembers(token: audience == .keeper ? token : "")
        members += [("script", script.isEmpty ? nil : .string(script))]
        members += middleMembers(secrets: environment.secrets.mapValues { _ in "" })
        members += [
            ("storage_providers", storageProviders.json(credentials, clusterStore: clusterStore)),
            ("clusters", clusters.isEmpty ? nil : clustersJSON(credentials: .emptied)),
        ]
        members += trailingMembers()
        members += [
            ("volume_status", volumeStatus),
            ("deployment", deployment),
        ]
        return .object(of: members + lastMembers())
    }

    /// Everything, secrets and credentials included, for the cluster's own state; `init(stored:)` reads it.
    package func storedJSON() -> JSONValue {
        var members = leadingMembers(token: token)
        members += [("script", .string(script))]
        members += middleMembers(secrets: environment.secrets)
        members += [
            ("storage_providers", storageProviders.json(.shown, clusterStore: nil)),
            ("clusters", clusters.isEmpty ? nil : clustersJSON(credentials: .shown)),
        ]
        members += trailingMembers()
        return .object(of: members + lastMembers())
    }

    /// What a function finds in `/oscar/config/function_config.yaml` (fdl.md section 10): without script, secrets and
    /// any credential.
    ///
    /// JSON is also YAML.
    package func functionConfig(clusterStore: ClusterStore) -> JSONValue {
        var members = leadingMembers(token: token)
        members += middleMembers(secrets: environment.secrets.mapValues { _ in "" })
        members += [
            ("storage_providers", storageProviders.json(.hidden, clusterStore: clusterStore)),
            ("clusters", clustersJSON(credentials: .emptied)),
        ]
        members += trailingMembers().filter { $0.0 != "namespace" }
        return .object(of: members + lastMembers())
    }

    /// How credentials are written.
    enum Credentials {
        case shown
        /// As the word `hidden`, as OSCAR writes those of its own store.
        case hidden
        /// As empty strings.
        case emptied
    }

    typealias Members = [(String, JSONValue?)]

    private func leadingMembers(token: String) -> Members {
        [
            ("name", .string(name.text)),
            ("cluster_id", .string(clusterID)),
            ("memory", .string(memory.text)),
            ("cpu", .string(cpu.text)),
            ("total_memory", .string(totalMemory?.text ?? "")),
            ("total_cpu", .string(totalCPU?.text ?? "")),
            ("ephemeral_storage_request", .string(ephemeralStorage?.text ?? "")),
            ("enable_gpu", .bool(enableGPU)),
            ("enable_sgx", .bool(enableSGX)),
            ("image_prefetch", .bool(imagePrefetch)),
            (
                "synchronous",
                .object([
                    "min_scale": .integer(synchronous.minimumScale),
                    "max_scale": .integer(synchronous.maximumScale),
                ])
            ),
            ("federation", federation?.json()),
            ("log_level", .string(logLevel.rawValue)),
            ("image", .string(image)),
            ("alpine", .bool(alpine)),
            ("token", .string(token)),
            ("file_stage_in", .bool(fileStageIn)),
            ("input", .array(input.map { $0.json() })),
            ("output", .array(output.map { $0.json() })),
        ]
    }

    private func middleMembers(secrets: [String: String]) -> Members {
        [
            ("image_pull_secrets", imagePullSecrets.isEmpty ? nil : .strings(imagePullSecrets)),
            ("expose", expose.json()),
            ("environment", .object(["variables": .map(environment.variables), "secrets": .map(secrets)])),
            ("annotations", .map(annotations)),
            ("labels", .map(labels)),
            ("vo", .string(virtualOrganisation)),
        ]
    }

    private func trailingMembers() -> Members {
        [
            ("owner", .string(owner)),
            ("namespace", namespace.isEmpty ? nil : .string(namespace)),
            ("interlink_node_name", .string(interLinkNode)),
            ("visibility", .string(visibility.rawValue)),
            ("allowed_users", .strings(allowedUsers)),
            ("isolation_level", .string(isolationLevel.rawValue)),
            ("bucket_list", .strings(bucketList)),
            ("mount", mount?.json() ?? .object(["storage_provider": .string(""), "path": .string("")])),
            ("volume", volume?.json()),
        ]
    }

    private func lastMembers() -> Members {
        [
            ("kserve", kserve?.json()),
            ("sandbox", sandbox.map { .string($0.rawValue) }),
            ("timeout", timeout?.json()),
            ("schedule", schedules.isEmpty ? nil : .array(schedules.map { $0.json() })),
            ("retention", retention.json()),
            ("retry", retry?.json()),
            ("failure_output", failureOutput?.json()),
        ] + queue.members + modeMembers
    }

    private func clustersJSON(credentials: Credentials) -> JSONValue {
        .sortedMap(clusters) { cluster in
            .object([
                "endpoint": .string(cluster.endpoint),
                "auth_user": .string(credentials == .shown ? cluster.user : ""),
                "auth_password": .string(credentials == .shown ? cluster.password : ""),
                "ssl_verify": .bool(cluster.verifiesTLS),
            ])
        }
    }
}

extension JSONValue {
    /// An object of the members that have a value.
    static func object(of members: ServiceDefinition.Members) -> JSONValue {
        .object(JSONObject(members.compactMap { key, value in value.map { (key, $0) } }))
    }

    /// An object with sorted keys, as Go writes maps.
    static func sortedMap<Value>(_ map: [String: Value], _ json: (Value) -> JSONValue) -> JSONValue {
        .object(JSONObject(map.sorted { $0.key < $1.key }.map { ($0.key, json($0.value)) }))
    }
}

extension Duration {
    /// Whole seconds as a number, anything finer as a text.
    fileprivate func json() -> JSONValue {
        components.attoseconds == 0 ? .integer(components.seconds) : .string(shortText)
    }
}
