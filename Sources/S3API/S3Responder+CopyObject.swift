import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    func copyObject(to key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        try Self.checkUnsupported(exchange)
        let source = try CopySource(of: exchange.request)
        let attributes = try Self.newAttributes(exchange)
        guard attributes != nil || source.bucket != bucket || source.key != key else {
            throw S3Error(
                .invalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the "
                    + "object's metadata, storage class, website redirect location or encryption attributes."
            )
        }
        let list = try requestedAccessControl(exchange)
        let condition = try Self.writeCondition(exchange)
        let checksums = Set([try Self.checksumAlgorithm(exchange)].compactMap { $0 })
        let copy = try await withSource(source) { (record) throws(ObjectStoreError) in
            var attributes = attributes ?? record.attributes
            // The list of the source is no copy's: a copy is private unless its maker says otherwise.
            attributes.accessControl = list
            return try await store.copy(
                record, to: key, in: bucket, attributes: attributes, checksums: checksums, condition: condition,
                origin: exchange.origin
            )
        }
        return .document(
            CopyResult(
                kind: .object, eTag: copy.eTag, lastModified: copy.lastModified, checksums: copy.attributes.checksums
            )
        )
    }

    /// The attributes that replace those of the source; `nil` where the copy keeps them.
    private static func newAttributes(_ exchange: S3Exchange) throws(S3Error) -> ObjectAttributes? {
        switch exchange.header("x-amz-metadata-directive")?.uppercased() {
        case nil, "COPY": return nil
        case "REPLACE": return try ObjectAttributes(of: exchange.request)
        default: throw S3Error(.invalidArgument, "Unknown metadata directive.")
        }
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
    func withSource<T>(
        _ source: CopySource,
        _ body: (ObjectRecord) async throws(ObjectStoreError) -> T
    ) async throws -> T {
        while true {
            guard let record = try await store.object(source.key, in: source.bucket) else {
                throw S3Error(.noSuchKey, details: [("Key", source.key.text)])
            }
            try source.check(record)
            do throws(ObjectStoreError) {
                return try await body(record)
            } catch {
                guard error.code == .contentReplaced else { throw error }
            }
        }
    }
}
