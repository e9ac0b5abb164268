extension ServiceDefinition {
    static func readStorageList(
        _ reader: FieldReader,
        _ key: String
    ) throws(ServiceSpecificationError) -> [StorageIO] {
        var list: [StorageIO] = []
        for entry in try reader.objects(key) { list.append(try StorageIO(entry)) }
        return list
    }

    /// The mount, or `nil` where it is missing or empty, as OSCAR's clients send it.
    static func readMount(_ reader: FieldReader) throws(ServiceSpecificationError) -> StorageIO? {
        guard let entry = try reader.object("mount") else { return nil }
        let (provider, path) = (try entry.string("storage_provider"), try entry.string("path"))
        guard !provider.isEmpty || !path.isEmpty else { return nil }
        let mount = try StorageIO(entry)
        // The characters that OSCAR lets through (oscar-api.md 4.3): no shell can be reached with them.
        let allowed = Array("-_.:=,/ ".utf8)
        let isClean = mount.options.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || allowed.contains(byte)
        }
        guard isClean else { throw entry.invalid("options", "mount options contain invalid characters") }
        return mount
    }

    /// Brings paths of inputs and outputs into their one form (oscar-api.md 4.3).
    mutating func normalise() throws(ServiceSpecificationError) {
        for index in input.indices {
            guard !input[index].path.isEmpty else {
                throw ServiceSpecificationError(
                    .invalid,
                    field: "input[\(index)].path",
                    "input path cannot be empty",
                    message: "input path cannot be empty"
                )
            }
            input[index].completePath(service: name.text)
        }
        // A worker of a federation writes to where the service it stands in for would write.
        let origin = annotations["oscar.grycap/origin-service"] ?? name.text
        for index in output.indices { output[index].completePath(service: origin) }
    }

    /// Checks what needs more than one field.
    func check() throws(ServiceSpecificationError) {
        try checkResource("cpu", cpu) { quantity throws(QuantityError) in try quantity.milliCPU().thousandths
        }
        try checkResource("memory", memory) { quantity throws(QuantityError) in try quantity.byteCount().bytes
        }
        for (index, entry) in input.enumerated() {
            guard [.minio, .webdav, .rucio].contains(entry.provider.kind) else {
                throw ServiceSpecificationError(
                    .invalid,
                    field: "input[\(index)].storage_provider",
                    "unrecognized input (valid inputs are MinIO and dCache)",
                    message: "unrecognized input (valid inputs are MinIO and dCache)"
                )
            }
            try checkStorage(entry, field: "input[\(index)]")
        }
        for (index, entry) in output.enumerated() { try checkStorage(entry, field: "output[\(index)]") }
        if let mount { try checkStorage(mount, field: "mount") }
    }

    private func checkResource(
        _ field: String,
        _ quantity: Quantity,
        _ value: (Quantity) throws(QuantityError) -> Int64
    ) throws(ServiceSpecificationError) {
        do throws(QuantityError) {
            guard try value(quantity) > 0 else { throw QuantityError("must be more than 0") }
        } catch {
            throw ServiceSpecificationError(.invalid, field: field, error.message)
        }
    }

    private func checkStorage(_ entry: StorageIO, field: String) throws(ServiceSpecificationError) {
        guard storageProviders.contains(entry.provider) else {
            let problem = "the StorageProvider \"\(entry.provider)\" is not defined"
            throw ServiceSpecificationError(
                .undefinedProvider,
                field: "\(field).storage_provider",
                problem,
                message: problem
            )
        }
        try storageProviders.checkComplete(entry.provider)
        // A foreign store of Amazon's may have buckets with older, freer names.
        guard entry.provider.kind == .minio else { return }
        do {
            _ = try BucketName(entry.bucket)
        } catch {
            throw ServiceSpecificationError(.invalid, field: "\(field).path", error.message)
        }
    }
}

extension StorageIO {
    init(_ reader: FieldReader) throws(ServiceSpecificationError) {
        let name = try reader.string("storage_provider").trimmingWhiteSpace()
        guard let provider = name.isEmpty ? ProviderID.clusterStore : ProviderID(name) else {
            throw reader.invalid(
                "storage_provider",
                "\"\(name)\" is not a storage provider: write minio, s3, onedata, webdav or rucio, a dot and its name"
            )
        }
        let path = try reader.string("path")
        guard !path.utf8.contains(0) else { throw reader.invalid("path", "must not contain U+0000") }
        self.init(
            provider: provider,
            path: path.trimming { $0.isWhitespace || $0 == "/" },
            prefixes: try reader.strings("prefix").filter { !$0.isEmpty },
            suffixes: try reader.strings("suffix").filter { !$0.isEmpty },
            options: try reader.string("options")
        )
        events = try Self.readEvents(reader)
    }

    /// `folder` alone stands for `<service>/folder` in S3-like storages.
    mutating func completePath(service: String) {
        guard provider.kind.hasBuckets, !path.utf8.contains(UInt8(ascii: "/")) else { return }
        path = path.isEmpty ? service : "\(service)/\(path)"
    }
}

extension StorageProviders {
    /// Reads the declared providers.
    ///
    /// A `minio.default` is left out: it is always the cluster's own store.
    init(_ reader: FieldReader?) throws(ServiceSpecificationError) {
        self.init()
        guard let reader else { return }
        for (id, entry) in try reader.objectMap("minio") where id != ProviderID.defaultName {
            minio[id] = try S3(entry)
        }
        for (id, entry) in try reader.objectMap("s3") { s3[id] = try S3(entry) }
        for (id, entry) in try reader.objectMap("onedata") {
            onedata[id] = Onedata(
                host: try entry.text("oneprovider_host"),
                token: try entry.text("token"),
                space: try entry.text("space")
            )
        }
        for (id, entry) in try reader.objectMap("webdav") {
            webdav[id] = WebDAV(
                hostname: try entry.text("hostname"),
                login: try entry.text("login"),
                password: try entry.text("password"),
                link: try LinkLimits(entry)
            )
        }
        for (id, entry) in try reader.objectMap("rucio") {
            rucio[id] = Rucio(
                host: try entry.text("host"),
                authHost: try entry.text("auth_host"),
                account: try entry.text("account"),
                storageElement: try entry.text("rse"),
                refreshToken: try entry.text("refresh_token"),
                audience: try entry.text("oidc_audience"),
                tokenEndpoint: try entry.text("token_endpoint")
            )
        }
    }

    /// Checks that a declared provider says all that is needed to reach it (fdl.md, "storage_providers
    /// fields").
    func checkComplete(_ id: ProviderID) throws(ServiceSpecificationError) {
        let place = "storage_providers.\(id)"
        let fields: [(key: String, value: String)]
        switch id.kind {
        case .minio:
            guard let store = minio[id.name] else { return }
            fields = [
                ("endpoint", store.endpoint), ("access_key", store.accessKey),
                ("secret_key", store.secretKey),
            ]
            try Self.checkEndpoint(store.endpoint, field: "\(place).endpoint")
        case .s3:
            guard let store = s3[id.name] else { return }
            fields = [("access_key", store.accessKey), ("secret_key", store.secretKey)]
            try Self.checkEndpoint(store.endpoint, field: "\(place).endpoint")
        case .onedata:
            guard let space = onedata[id.name] else { return }
            fields = [("oneprovider_host", space.host), ("token", space.token), ("space", space.space)]
        case .webdav:
            guard let server = webdav[id.name] else { return }
            fields = [("hostname", server.hostname), ("login", server.login), ("password", server.password)]
        case .rucio:
            guard let server = rucio[id.name] else { return }
            fields = [
                ("host", server.host), ("auth_host", server.authHost), ("account", server.account),
                ("rse", server.storageElement), ("refresh_token", server.refreshToken),
            ]
        }
        if let missing = fields.first(where: { $0.value.isEmpty }) {
            throw ServiceSpecificationError(.missing, field: "\(place).\(missing.key)", "is required")
        }
    }

    private static func checkEndpoint(_ endpoint: String, field: String) throws(ServiceSpecificationError) {
        guard !endpoint.isEmpty else { return }
        let lowered = endpoint.lowercased()
        guard lowered.hasPrefix("http://") || lowered.hasPrefix("https://") else {
            throw ServiceSpecificationError(
                .invalid,
                field: field,
                "\"\(endpoint)\" must begin with http:// or https://"
            )
        }
    }
}

extension StorageProviders.S3 {
    init(_ reader: FieldReader) throws(ServiceSpecificationError) {
        self.init(
            endpoint: try reader.text("endpoint").trimmingWhiteSpace(),
            region: try reader.text("region"),
            accessKey: try reader.text("access_key"),
            secretKey: try reader.text("secret_key"),
            verify: try reader.bool("verify", default: true),
            link: try LinkLimits(reader)
        )
    }
}
