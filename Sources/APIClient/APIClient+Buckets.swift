import AsyncHTTPClient
package import Model
import NIOCore
import NIOHTTP1

/// A bucket as `GET /system/buckets` lists it.
package struct BucketSummary: Sendable, Hashable {
    package var name: String
    package var visibility: String
    package var allowedUsers: [String]
    package var owner: String
    /// The whole object as the cluster sent it.
    package var json: JSONValue

    /// Reads one bucket object; absent members are empty.
    package init(_ json: JSONValue) {
        name = json["bucket_name"]?.stringValue ?? ""
        visibility = json["visibility"]?.stringValue ?? ""
        allowedUsers = json["allowed_users"]?.arrayValue?.compactMap(\.stringValue) ?? []
        owner = json["owner"]?.stringValue ?? ""
        self.json = json
    }
}

/// A page of a bucket's objects as `GET /system/buckets/{bucket}` sends it.
package struct BucketContents: Sendable, Hashable {
    package struct Object: Sendable, Hashable {
        package var key: String
        package var size: ByteCount
        package var lastModified: String

        package init(key: String, size: ByteCount, lastModified: String) {
            (self.key, self.size, self.lastModified) = (key, size, lastModified)
        }
    }

    package var objects: [Object]
    /// What to pass for the next page; `nil` on the last one.
    package var next: String?
    /// The whole object as the cluster sent it.
    package var json: JSONValue

    /// Reads the answer; absent members are empty.
    package init(_ json: JSONValue) {
        objects = (json["objects"]?.arrayValue ?? []).map { object in
            Object(
                key: object["object_name"]?.stringValue ?? "",
                size: ByteCount(object["size_bytes"]?.integerValue ?? 0),
                lastModified: object["last_modified"]?.stringValue ?? "")
        }
        next = json["next_page"]?.stringValue.flatMap { $0.isEmpty ? nil : $0 }
        self.json = json
    }
}

extension APIClient {
    /// The buckets that the credentials may see.
    package func buckets() async throws(APIClientError) -> [BucketSummary] {
        let answer = try await document(APIRequest(.GET, "system", "buckets", subject: "the list of buckets"))
        return try elements(answer, of: "buckets").map { BucketSummary($0) }
    }

    /// One page of a bucket's description and objects.
    ///
    /// - Throws: `notFound`, `forbidden` and the usual.
    package func bucket(_ name: String, page: String? = nil, limit: Int? = nil) async throws(APIClientError)
        -> BucketContents
    {
        var request = APIRequest(.GET, "system", "buckets", name, subject: "bucket \"\(name)\"")
        if let limit { request.query.append(("limit", "\(limit)")) }
        if let page { request.query.append(("page", page)) }
        return BucketContents(try await document(request))
    }

    /// Creates a bucket.
    ///
    /// - Parameters:
    ///   - visibility: `private`, `restricted` or `public`.
    ///   - allowedUsers: who may use a restricted bucket.
    /// - Throws: `invalid` with the cluster's words, also where it exists; the usual.
    package func createBucket(
        _ name: String,
        visibility: String = "private",
        allowedUsers: [String] = []
    ) async throws(APIClientError) {
        var request = APIRequest(.POST, "system", "buckets", subject: "bucket \"\(name)\"")
        let body = JSONValue.object([
            "bucket_name": .string(name), "visibility": .string(visibility), "allowed_users": .strings(allowedUsers),
        ])
        request.headers = [("content-type", "application/json")]
        request.body = .bytes(ByteBuffer(bytes: body.bytes()))
        try await send(request)
    }

    /// Removes a bucket with all it holds.
    ///
    /// - Throws: `notFound`, `forbidden` and the usual.
    package func deleteBucket(_ name: String) async throws(APIClientError) {
        var request = APIRequest(.DELETE, "system", "buckets", name, subject: "bucket \"\(name)\"")
        request.patience = .minutes(10)
        try await send(request)
    }
}
