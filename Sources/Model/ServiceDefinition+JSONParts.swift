extension StorageIO {
    func json() -> JSONValue {
        .object(of: [
            ("storage_provider", .string(provider.description)),
            ("path", .string(path)),
            ("suffix", suffixes.isEmpty ? nil : .strings(suffixes)),
            ("prefix", prefixes.isEmpty ? nil : .strings(prefixes)),
            ("options", options.isEmpty ? nil : .string(options)),
            ("events", eventsJSON),
        ])
    }
}

extension StorageProviders {
    /// By kind and name; kinds without any are left out.
    ///
    /// With `clusterStore` the first object store is that one.
    func json(
        _ credentials: ServiceDefinition.Credentials,
        clusterStore: ServiceDefinition.ClusterStore?
    ) -> JSONValue {
        func secret(_ value: String) -> JSONValue {
            switch credentials {
            case .shown: .string(value)
            case .hidden: .string("hidden")
            case .emptied: .string("")
            }
        }
        var stores = minio.mapValues { $0.minioJSON(secret) }
        if let own = clusterStore {
            let shown = S3(endpoint: own.endpoint, region: own.region, verify: own.verify)
            stores[ProviderID.defaultName] = shown.minioJSON { _ in .string("hidden") }
        }
        return .object(of: [
            ("s3", s3.isEmpty ? nil : .sortedMap(s3) { $0.s3JSON(secret) }),
            ("minio", stores.isEmpty ? nil : .sortedMap(stores) { $0 }),
            ("onedata", onedata.isEmpty ? nil : .sortedMap(onedata) { $0.json(secret) }),
            ("webdav", webdav.isEmpty ? nil : .sortedMap(webdav) { $0.json(secret) }),
            ("rucio", rucio.isEmpty ? nil : .sortedMap(rucio) { $0.json(secret) }),
        ])
    }
}

extension StorageProviders.S3 {
    fileprivate func minioJSON(_ secret: (String) -> JSONValue) -> JSONValue {
        .object(
            of: [
                ("endpoint", .string(endpoint)), ("verify", .bool(verify)), ("access_key", secret(accessKey)),
                ("secret_key", secret(secretKey)), ("region", .string(region)),
            ] + link.members)
    }

    /// Endpoint and verification are ours: OSCAR's `s3` is always Amazon's.
    fileprivate func s3JSON(_ secret: (String) -> JSONValue) -> JSONValue {
        .object(
            of: [
                ("access_key", secret(accessKey)),
                ("secret_key", secret(secretKey)),
                ("region", .string(region)),
                ("endpoint", endpoint.isEmpty ? nil : .string(endpoint)),
                ("verify", verify ? nil : .bool(false)),
            ] + link.members)
    }
}

extension StorageProviders.Onedata {
    fileprivate func json(_ secret: (String) -> JSONValue) -> JSONValue {
        .object(["oneprovider_host": .string(host), "token": secret(token), "space": .string(space)])
    }
}

extension StorageProviders.WebDAV {
    fileprivate func json(_ secret: (String) -> JSONValue) -> JSONValue {
        .object(
            of: [("hostname", .string(hostname)), ("login", secret(login)), ("password", secret(password))]
                + link.members)
    }
}

extension StorageProviders.Rucio {
    fileprivate func json(_ secret: (String) -> JSONValue) -> JSONValue {
        .object([
            "host": .string(host), "auth_host": .string(authHost), "account": .string(account),
            "rse": .string(storageElement), "refresh_token": secret(refreshToken),
            "oidc_audience": .string(audience),
            "token_endpoint": .string(tokenEndpoint),
        ])
    }
}

extension ServiceDefinition.Expose {
    func json() -> JSONValue {
        .object(of: [
            ("min_scale", .integer(minimumScale)),
            ("max_scale", .integer(maximumScale)),
            ("api_port", ports.isEmpty ? nil : .array(ports.map { .integer($0) })),
            ("cpu_threshold", .integer(cpuThreshold)),
            ("rewrite_target", .bool(rewriteTarget)),
            ("nodePort", nodePorts.isEmpty ? nil : .array(nodePorts.map { .integer($0) })),
            ("default_command", .bool(defaultCommand)),
            ("set_auth", .bool(setAuth)),
            ("auth_type", authType.isEmpty ? nil : .string(authType)),
            ("health_path", .string(healthPath)),
            ("probe_mode", probeMode.isEmpty ? nil : .string(probeMode)),
        ])
    }
}

extension ServiceDefinition.Federation {
    func json() -> JSONValue {
        .object(of: [
            ("group_id", .string(groupID)),
            ("topology", .string(topology.rawValue)),
            ("delegation", delegation.isEmpty ? nil : .string(delegation)),
            ("rescheduler_threshold", reschedulerThreshold == 0 ? nil : .integer(reschedulerThreshold)),
            ("members", members.isEmpty ? nil : .array(members.map { $0.json() })),
        ])
    }
}

extension ServiceDefinition.Member {
    func json() -> JSONValue {
        .object([
            "type": .string(kind.rawValue), "cluster_id": .string(clusterID),
            "service_name": .string(serviceName),
            "url": .string(url), "ssl_verify": .bool(verifiesTLS), "priority": .integer(priority),
            "headers": .map(headers),
        ])
    }
}

extension ServiceDefinition.Volume {
    func json() -> JSONValue {
        .object(of: [
            ("name", name.isEmpty ? nil : .string(name)),
            ("size", .string(size?.text ?? "")),
            ("mount_path", .string(mountPath)),
            ("lifecycle_policy", lifecyclePolicy.isEmpty ? nil : .string(lifecyclePolicy)),
        ])
    }
}

extension ServiceDefinition.KServe {
    func json() -> JSONValue {
        let inference = JSONValue.object(of: [
            ("model_format", .string(modelFormat)), ("runtime", runtime.isEmpty ? nil : .string(runtime)),
        ])
        return .object(of: [
            ("type", .string(kind.rawValue)),
            ("inference", kind == .inference ? inference : nil),
            ("llm_inference", runtimeImage.isEmpty ? nil : .object(["runtime_image": .string(runtimeImage)])),
            ("storage_uri", .string(storageURI)),
            ("api_version", apiVersion.isEmpty ? nil : .string(apiVersion)),
            ("min_scale", minimumScale == 0 ? nil : .integer(minimumScale)),
            // Written also where it is 0, because a missing one would be read as 1; so is `set_auth`.
            ("max_scale", .integer(maximumScale)),
            ("cpu", .string(cpu.text)),
            ("memory", .string(memory.text)),
            ("args", arguments.isEmpty ? nil : .strings(arguments)),
            ("env", environment.isEmpty ? nil : .map(environment)),
            ("enable_gpu", enableGPU ? .bool(true) : nil),
            ("set_auth", .bool(setAuth)),
        ])
    }
}
