import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    /// Content from this size on is refused before it comes, where its bucket is missing or has no room for it.
    ///
    /// For smaller content the question costs more than the answer saves.
    private static let largeContent: Int64 = 64 << 10

    func putObject(_ key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        try Self.checkUnsupported(exchange)
        var attributes = try ObjectAttributes(of: exchange.request)
        attributes.accessControl = try requestedAccessControl(exchange)
        let condition = try Self.writeCondition(exchange)
        let length = try exchange.announcedLength()
        if length >= Self.largeContent { try await store.checkRoom(for: ByteCount(length), as: key, in: bucket) }
        let (staged, _, checksums) = try await stageBody(exchange)
        attributes.checksums = checksums
        let record = try await store.put(
            staged, as: key, in: bucket, attributes: attributes, condition: condition,
            delivery: exchange.delivery, origin: exchange.origin
        )
        var headers = Self.headers(of: record)
        await markExpiry(of: record, on: &headers)
        return Response(status: .ok, headers: headers)
    }

    /// Takes in the body and verifies all that the client says about it.
    ///
    /// - Parameter further: checksums to reckon beside those that the client sends.
    /// - Returns: the content, its summary, and the client's checksum in base64.
    func stageBody(
        _ exchange: S3Exchange,
        further: Set<ChecksumAlgorithm> = []
    ) async throws -> (StagedContent, ContentSummary, [ChecksumAlgorithm: String]) {
        let expected = try ExpectedDigests(of: exchange.request, payload: exchange.proof.payload)
        let staged = store.stage(checksums: expected.algorithms.union(further))
        do {
            let trailer = try await exchange.readBody { try await staged.write($0) }
            let summary = try await staged.finish()
            let checksums = try expected.verify(md5: summary.md5, checksums: summary.checksums, trailer: trailer)
            return (staged, summary, checksums)
        } catch {
            staged.discard()
            throw error
        }
    }

    /// The headers that answer a write.
    static func headers(of record: ObjectRecord) -> HTTPFields {
        var headers: HTTPFields = [.eTag: "\"\(record.eTag)\""]
        headers.set(record.version)
        record.attributes.writeChecksums(to: &headers)
        return headers
    }

    /// The condition that a write depends on.
    ///
    /// - Throws: `S3Error` with `notImplemented` for those that S3 does not know for writes either.
    static func writeCondition(_ exchange: S3Exchange) throws(S3Error) -> WriteCondition {
        let conditions = RequestConditions(header: exchange.header)
        switch (conditions.match, conditions.noneMatch) {
        case (nil, nil): return .none
        case (nil, .any): return .ifAbsent
        case (let match?, nil): return WriteCondition(match)
        default:
            throw S3Error(.notImplemented, "Only If-Match, or If-None-Match with \"*\", is implemented for writes.")
        }
    }

    /// Refuses what would otherwise be silently ignored.
    ///
    /// - Throws: `S3Error` with `notImplemented`.
    static func checkUnsupported(_ exchange: S3Exchange) throws(S3Error) {
        let prefixes = ["x-amz-server-side-encryption", "x-amz-object-lock-"]
        for (name, _) in exchange.request.headers where prefixes.contains(where: name.hasPrefix) {
            throw S3Error(
                .notImplemented,
                name.hasPrefix(prefixes[0])
                    ? noEncryption : "The header \(name) implies functionality that is not implemented."
            )
        }
    }
}
