import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    func putVersioning(of bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let configuration = try VersioningConfiguration(parsing: try await exchange.readDocument(limit: 64 << 10))
        try await store.setVersioning(enabled: configuration.status == .enabled, of: bucket)
        return Response(status: .ok)
    }

    func getVersioning(of bucket: BucketName) async throws -> Response {
        guard let versioning = try await store.bucket(bucket)?.versioning else { throw S3Error(.noSuchBucket) }
        return .document(VersioningConfiguration(status: .init(rawValue: versioning.rawValue)))
    }

    func listVersions(_ bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let query = exchange.query
        let page = try PageRequest(query, limitName: "max-keys")
        let keyMarker = query["key-marker"] ?? ""
        let versionMarker = query["version-id-marker"] ?? ""
        guard !keyMarker.isEmpty || versionMarker.isEmpty else {
            throw S3Error(.invalidArgument, "A version-id marker cannot be specified without a key marker.")
        }
        let listing = try await store.listVersions(
            in: bucket,
            prefix: page.prefix,
            delimiter: page.delimiter,
            afterKey: keyMarker.isEmpty ? nil : keyMarker,
            afterVersion: versionMarker.isEmpty ? nil : try VersionID(parsing: versionMarker, of: "version-id-marker"),
            limit: page.limit
        )
        var result = ListVersionsResult(
            bucket: bucket.text, owner: exchange.owner, maximumKeys: page.limit, encoding: page.encoding
        )
        (result.prefix, result.delimiter) = (page.prefix, page.delimiter)
        (result.keyMarker, result.versionIDMarker) = (keyMarker, versionMarker)
        (result.isTruncated, result.commonPrefixes) = (listing.isTruncated, listing.commonPrefixes)
        (result.nextKeyMarker, result.nextVersionIDMarker) = (listing.nextKey, listing.nextVersion?.text)
        result.entries = listing.versions.map { version in
            switch version.content {
            case .object(let record):
                .init(.version(ListedObject(record)), id: version.id.text, isLatest: version.isLatest)
            case .marker(let marker):
                .init(
                    .marker(key: marker.key.text, lastModified: marker.lastModified), id: version.id.text,
                    isLatest: version.isLatest
                )
            }
        }
        return .document(result)
    }
}
