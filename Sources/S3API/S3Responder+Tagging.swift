import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    func getTagging(of key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let version = try exchange.version()
        let record = try await store.find(key, version: version, in: bucket).object(key, version: version)
        var headers: HTTPFields = [:]
        headers.set(record.version)
        return .document(TaggingDocument(tags: record.attributes.tags), headers: headers)
    }

    func putTagging(of key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let tags = try TagSet(parsing: try await exchange.readDocument(limit: 64 << 10))
        return Response(status: .ok, headers: try await setTags(tags, of: key, in: bucket, exchange))
    }

    func deleteTagging(of key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        .bodiless(.noContent, headers: try await setTags(TagSet(), of: key, in: bucket, exchange))
    }

    private func setTags(
        _ tags: TagSet,
        of key: ObjectKey,
        in bucket: BucketName,
        _ exchange: S3Exchange
    ) async throws -> HTTPFields {
        let version = try exchange.version()
        let found = try await store.setTags(tags, of: key, version: version, in: bucket)
        var headers: HTTPFields = [:]
        headers.set(try found.object(key, version: version).version)
        return headers
    }
}
