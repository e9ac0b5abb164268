import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    func getObjectAttributes(_ key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let wanted = try ObjectAttributeName.set(parsing: exchange.header("x-amz-object-attributes"))
        let limit = try Self.number("x-amz-max-parts", exchange) ?? PageRequest.maximumLimit
        let marker = try Self.number("x-amz-part-number-marker", exchange) ?? 0
        let version = try exchange.version()
        let record = try await store.find(key, version: version, in: bucket).object(key, version: version)
        var document = ObjectAttributesDocument()
        if wanted.contains(.eTag) { document.eTag = record.eTag }
        if wanted.contains(.checksum) {
            (document.checksums, document.checksumType) = (record.attributes.checksums, record.attributes.checksumType)
        }
        if wanted.contains(.objectParts), let count = record.partCount {
            document.parts = try await parts(of: record, count: count, marker: marker, limit: limit)
        }
        if wanted.contains(.storageClass) { document.storageClass = record.attributes.storageClass }
        if wanted.contains(.objectSize) { document.size = record.size.bytes }
        var headers: HTTPFields = [.lastModified: HTTPDate.text(record.lastModified)]
        headers.set(record.version)
        return .document(document, headers: headers)
    }

    private func parts(
        of record: ObjectRecord,
        count: Int,
        marker: Int,
        limit: Int
    ) async throws -> ObjectAttributesDocument.Parts {
        let limit = min(limit, PageRequest.maximumLimit)
        let found = try await store.parts(of: record, after: marker, limit: limit + 1)
        let parts = found.prefix(limit).filter { !$0.checksums.isEmpty }
        return .init(
            count: count,
            marker: marker,
            limit: limit,
            isTruncated: found.count > limit,
            parts: parts.map { .init(number: $0.number, size: $0.size.bytes, checksums: $0.checksums) }
        )
    }

    /// A header that is a number, 0 or greater.
    private static func number(_ name: String, _ exchange: S3Exchange) throws(S3Error) -> Int? {
        guard let text = exchange.header(name) else { return nil }
        return try PageRequest.number(name, in: QueryItems([.init(name, text)]))
    }
}
