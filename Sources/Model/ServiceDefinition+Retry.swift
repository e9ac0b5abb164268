extension RetryPolicy {
    /// Reads `retry` of a service; `nil` where there is none.
    static func read(_ reader: FieldReader) throws(ServiceSpecificationError) -> RetryPolicy? {
        guard let fields = try reader.object("retry") else { return nil }
        var policy = RetryPolicy()
        policy.script = try retries("script", policy.script, fields)
        policy.timeout = try retries("timeout", policy.timeout, fields)
        policy.infrastructure = try retries("infrastructure", policy.infrastructure, fields)
        for code in try fields.counts("exit_codes", dropsLeadingZero: false) {
            guard (1...255).contains(code) else {
                throw fields.invalid("exit_codes", "must be numbers from 1 to 255: 0 is no failure")
            }
            policy.exitCodes.insert(Int32(code))
        }
        let (first, longest) = (try pause("backoff", fields), try pause("maximum_backoff", fields))
        policy.backoff = first ?? min(policy.backoff, longest ?? policy.backoff)
        policy.maximumBackoff = longest ?? max(policy.maximumBackoff, policy.backoff)
        guard policy.backoff <= policy.maximumBackoff else {
            throw fields.invalid("maximum_backoff", "must not be shorter than backoff")
        }
        return policy
    }

    private static func retries(
        _ key: String,
        _ fallback: Int,
        _ fields: FieldReader
    ) throws(ServiceSpecificationError) -> Int {
        let count = try fields.count(key, default: fallback)
        guard count <= maximumRetries else { throw fields.invalid(key, "must be at most \(maximumRetries)") }
        return count
    }

    private static func pause(_ key: String, _ fields: FieldReader) throws(ServiceSpecificationError) -> Duration? {
        guard let pause = try fields.duration(key) else { return nil }
        guard pause <= maximumPause else { throw fields.invalid(key, "must be at most 7d") }
        return pause
    }

    func json() -> JSONValue {
        var object: JSONObject = [
            "script": .integer(script), "timeout": .integer(timeout), "infrastructure": .integer(infrastructure),
        ]
        if !exitCodes.isEmpty { object["exit_codes"] = .array(exitCodes.sorted().map { .integer($0) }) }
        object["backoff"] = .string(backoff.shortText)
        object["maximum_backoff"] = .string(maximumBackoff.shortText)
        return .object(object)
    }
}

extension FailureOutput {
    /// Reads `failure_output` of a service: a folder of this cluster's store, or the name of a webhook.
    static func read(
        _ reader: FieldReader,
        service: ServiceName
    ) throws(ServiceSpecificationError) -> FailureOutput? {
        guard let fields = try reader.object("failure_output") else { return nil }
        let (webhook, path) = (try fields.string("webhook"), try fields.string("path"))
        guard webhook.isEmpty != path.isEmpty else {
            throw reader.invalid("failure_output", "needs either a path (BUCKET/FOLDER) or the name of a webhook")
        }
        if !webhook.isEmpty { return .webhook(webhook) }
        var folder = try StorageIO(fields)
        guard folder.provider == .clusterStore else {
            throw fields.invalid("storage_provider", "must be minio.default, the store of this cluster")
        }
        guard folder.prefixes.isEmpty, folder.suffixes.isEmpty else {
            throw reader.invalid("failure_output", "takes neither prefix nor suffix")
        }
        folder.completePath(service: service.text)
        do { _ = try BucketName(folder.bucket) } catch { throw fields.invalid("path", error.message) }
        return .folder(folder)
    }

    func json() -> JSONValue {
        switch self {
        case .webhook(let name): .object(["webhook": .string(name)])
        case .folder(let folder):
            .object(["storage_provider": .string(folder.provider.description), "path": .string(folder.path)])
        }
    }
}

extension FieldReader {
    /// A duration above 0: a number of seconds, or a text such as `90s`; `nil` where there is none.
    func duration(_ key: String) throws(Failure) -> Duration? {
        guard let value = value(key) else { return nil }
        let problem = "must be a number of seconds above 0, or a text such as \"90s\", \"10m\" or \"1h30m\""
        guard let text = value.stringValue ?? value.integerValue.map({ "\($0)s" }) else {
            throw Failure(.wrongType, field: field(key), problem)
        }
        guard !text.isEmpty else { return nil }
        guard let duration = Duration(text: text), duration > .zero else { throw invalid(key, problem) }
        return duration
    }
}
