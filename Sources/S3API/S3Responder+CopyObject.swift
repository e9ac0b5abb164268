import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    func copyObject(to key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        try Self.checkUnsupported(exchange)
        let source = try CopySource(of: exchange.request)
        let directives = try CopyDirectives(of: exchange.request)
        let isOther = source.bucket != bucket || source.key != key || source.version != nil
        guard isOther || directives.changesSomething else {
            throw S3Error(
                .invalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                    + "object's metadata, storage class, website redirect location or encryption attributes."
            )
        }
        let list = try requestedAccessControl(exchange)
        let condition = try Self.writeCondition(exchange)
        let checksums = Set([try Self.checksumAlgorithm(exchange)].compactMap { $0 })
        let (copy, sourceVersion) = try await withSource(source, exchange) { record in
            var attributes = try record.attributes.copied(by: exchange.request, directives)
            // The list of the source is no copy's: a copy is private unless its maker says otherwise.
            attributes.accessControl = list
            return try await store.copy(
                record, to: key, in: bucket, attributes: attributes, checksums: checksums, condition: condition,
                origin: exchange.origin
            )
        }
        var headers: HTTPFields = [:]
        headers.set(copy.version)
        if let sourceVersion { headers.set("x-amz-copy-source-version-id", sourceVersion.text) }
        return .document(
            CopyResult(
                kind: .object, eTag: copy.eTag, lastModified: copy.lastModified, checksums: copy.attributes.checksums
            ),
            headers: headers
        )
    }

    /// The checksum that the client wants an object to have.
    ///
    /// - Throws: `S3Error` with `invalidRequest` for one that is not known.
    static func checksumAlgorithm(_ exchange: S3Exchange) throws(S3Error) -> ChecksumAlgorithm? {
        guard let name = exchange.header("x-amz-checksum-algorithm") else { return nil }
        guard let algorithm = ChecksumAlgorithm(name: name) else {
            throw S3Error(
                .invalidRequest, "Checksum algorithm provided is unsupported. Please try again with a valid one.")
        }
        return algorithm
    }

    /// Looks a source up, checks its conditions and does something with it; again where it is replaced meanwhile.
    ///
    /// - Returns: what `body` returns, and the version that was the source.
    func withSource<T>(
        _ source: CopySource,
        _ exchange: S3Exchange,
        _ body: (ObjectRecord) async throws -> T
    ) async throws -> (T, VersionID?) {
        while true {
            let found = try await store.find(source.key, version: source.version, in: source.bucket)
            let record = try source.object(found)
            try await requireReading(record, version: source.version, exchange)
            try source.check(record)
            do {
                return (try await body(record), record.version)
            } catch let error as ObjectStoreError where error.code == .contentReplaced {
                continue
            }
        }
    }
}
