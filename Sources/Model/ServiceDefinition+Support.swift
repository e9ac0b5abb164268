extension ServiceDefinition {
    /// Which storages a version of the program speaks.
    package struct StorageSupport: Sendable, Hashable {
        package var inputs: Set<ProviderKind>
        package var outputs: Set<ProviderKind>

        package init(
            inputs: Set<ProviderKind> = [.minio],
            outputs: Set<ProviderKind> = [.minio, .s3, .webdav]
        ) {
            self.inputs = inputs
            self.outputs = outputs
        }
    }

    /// What the definition asks for and this version cannot do: one sentence each that begins with the field's name.
    ///
    /// Empty where all of it is honoured.
    package func unsupportedFields(_ storage: StorageSupport = StorageSupport()) -> [String] {
        let fields: [(isAsked: Bool, name: String, meaning: String)] = [
            (ephemeralStorage != nil, "ephemeral_storage_request", "reserved disk space"),
            (enableGPU, "enable_gpu", "graphics processors"),
            (enableSGX, "enable_sgx", "SGX enclaves"),
            (federation?.members.isEmpty == false, "federation", "delegation to other clusters"),
            (!imagePullSecrets.isEmpty, "image_pull_secrets", "secrets for pulling images"),
            (
                expose.isExposed && expose.nodePorts.contains { $0 != 0 }, "expose.nodePort",
                "ports on the machine; leave it out and use /system/services/\(name)/exposed/"
            ),
            (!interLinkNode.isEmpty, "interlink_node_name", "interLink nodes"),
            (isolationLevel == .user, "isolation_level", "USER isolation"),
            (
                mount != nil && mount?.provider != .clusterStore, "mount",
                "mounts of \(mount?.provider.description ?? ""); mount a bucket of \(ProviderID.clusterStore)"
            ),
            (kserve != nil, "kserve", "KServe models"),
        ]
        return fields.filter(\.isAsked).map {
            "\($0.name): this version of Apus does not support \($0.meaning)"
        }
            + unsupportedStorages(storage)
    }

    private func unsupportedStorages(_ storage: StorageSupport) -> [String] {
        var sentences: [String] = []
        func add(_ field: String, _ what: String) {
            sentences.append("\(field): this version of Apus does not support \(what)")
        }
        for (index, entry) in input.enumerated() where !storage.inputs.contains(entry.provider.kind) {
            add("input[\(index)].storage_provider", "inputs from \(entry.provider.kind.rawValue)")
        }
        for (index, entry) in input.enumerated()
        where storage.inputs.contains(entry.provider.kind) && entry.provider.kind == .minio
            && entry.provider != .clusterStore
        {
            add(
                "input[\(index)].storage_provider",
                "inputs from the store of another cluster (\(entry.provider)); use \(ProviderID.clusterStore)"
            )
        }
        for (index, entry) in output.enumerated() where !storage.outputs.contains(entry.provider.kind) {
            add("output[\(index)].storage_provider", "outputs to \(entry.provider.kind.rawValue)")
        }
        let used = Set((input + output).map(\.provider))
        for id in storageProviders.all
        where !used.contains(id) && !storage.inputs.union(storage.outputs).contains(id.kind) {
            add("storage_providers.\(id)", "storages of the kind \(id.kind.rawValue)")
        }
        return sentences
    }
}
