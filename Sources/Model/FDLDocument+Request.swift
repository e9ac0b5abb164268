extension FDLDocument {
    /// The body with which a service is created or updated: what was written, the script's text in the place of its
    /// path, and the document's storage providers and clusters added, as oscar-cli does.
    ///
    /// What the service says itself goes before what the document says.
    ///
    /// - Parameters:
    ///   - service: One of `services`.
    ///   - clusterID: The name of the cluster that it is sent to.
    ///   - name: Another name for the service than the written one.
    ///   - script: Gives the text of the script at a path as it is written in the document.
    /// - Returns: An object for `POST` or `PUT /system/services`.
    /// - Throws: `FDLError` where the script or a map has another type than it must have; what `script`
    ///   throws.
    package func request(
        for service: Service,
        clusterID: String? = nil,
        name: String? = nil,
        script: (String) throws -> String
    ) throws -> JSONValue {
        var body = service.json
        if let name { body.replace("name", with: .string(name)) }
        if let clusterID { body.replace("cluster_id", with: .string(clusterID)) }
        if let written = body.value(ignoringCase: "script"), !written.isNull {
            guard let path = written.stringValue else {
                throw FDLError(path: "\(service.path).script", problem: "must be the path of a file")
            }
            body.replace("script", with: .string(try script(path)))
        }
        try merge(storageProviders, into: &body, "storage_providers", levels: 2, service)
        try merge(clusters, into: &body, "clusters", levels: 1, service)
        return .object(body)
    }

    /// The checked definition of a service.
    ///
    /// - Throws: `FDLError` with the place of the wrong field; what `script` throws.
    package func definition(
        of service: Service,
        defaultSandbox: SandboxKind = .container,
        script: (String) throws -> String
    ) throws -> ServiceDefinition {
        let body = try request(for: service, script: script)
        do {
            return try ServiceDefinition.parse(body, defaultSandbox: defaultSandbox)
        } catch {
            let place = error.field.isEmpty ? service.path : "\(service.path).\(error.field)"
            throw FDLError(path: place, problem: error.problem)
        }
    }

    private func merge(
        _ shared: JSONObject,
        into body: inout JSONObject,
        _ key: String,
        levels: Int,
        _ service: Service
    ) throws(FDLError) {
        guard !shared.isEmpty else { return }
        var own = JSONObject()
        if let written = body.value(ignoringCase: key), !written.isNull {
            guard let object = written.objectValue else {
                throw FDLError(
                    path: "\(service.path).\(key)",
                    problem: "must be a map, not \(written.kindWithArticle)"
                )
            }
            own = object
        }
        body.replace(key, with: .object(own.filled(from: shared, levels: levels)))
    }
}

extension JSONObject {
    /// Sets a member in the place of one that differs at most in case, so that no two spellings stand side by
    /// side.
    mutating func replace(_ key: String, with value: JSONValue) {
        let spelling = self[key] != nil ? key : keys.first { $0.lowercased() == key.lowercased() } ?? key
        self[spelling] = value
    }

    /// With the members of `other` that this one lacks; to that depth also inside members that both have.
    fileprivate func filled(from other: JSONObject, levels: Int) -> JSONObject {
        var result = self
        for (key, value) in other.members {
            guard let mine = result[key], !mine.isNull else {
                result[key] = value
                continue
            }
            if levels > 1, let mine = mine.objectValue, let theirs = value.objectValue {
                result[key] = .object(mine.filled(from: theirs, levels: levels - 1))
            }
        }
        return result
    }
}
