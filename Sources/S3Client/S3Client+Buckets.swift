import Model
import NIOCore
import NIOHTTP1

extension S3Client {
    /// One page of a bucket's objects in the order of their keys' bytes.
    ///
    /// - Parameters:
    ///   - delimiter: with `"/"`, keys with a further slash after the prefix are rolled up into `commonPrefixes`.
    ///   - limit: objects and prefixes on the page, 1 to 1,000.
    ///   - continuation: of the page before; `nil` for the first.
    /// - Throws: `notFound` (the bucket), `unreachable`, `refused`, `malformedAnswer`, `cancelled`.
    package func list(
        bucket: String,
        prefix: String = "",
        delimiter: String = "",
        limit: Int = 1000,
        continuation: String? = nil
    ) async throws(S3ClientError) -> S3Page {
        var request = S3Request(method: .GET, bucket: bucket)
        request.query = [("list-type", "2"), ("encoding-type", "url"), ("max-keys", "\(limit)")]
        if let continuation { request.query.append(("continuation-token", continuation)) }
        if !delimiter.isEmpty { request.query.append(("delimiter", delimiter)) }
        if !prefix.isEmpty { request.query.append(("prefix", prefix)) }
        let page = try S3Documents.page(try await document(request))
        guard page.continuation == nil || page.continuation != continuation else {
            throw S3ClientError(
                .malformedAnswer, "\(endpoint.text) gives the same page of \"\(bucket)\" again and again")
        }
        return page
    }

    /// Removes up to 1,000 objects in one request; those that are not there count as removed.
    ///
    /// - Returns: the keys that the store did not remove, with its reason.
    /// - Throws: `invalid` for an empty list or more than 1,000 keys; `notFound` (the bucket), `unreachable`,
    ///   `refused`, `malformedAnswer`, `cancelled`.
    package func delete(bucket: String, keys: [String]) async throws(S3ClientError) -> [(key: String, reason: String)] {
        guard (1...1000).contains(keys.count) else {
            throw S3ClientError(.invalid, "1 to 1,000 objects can be removed at once, not \(keys.count)")
        }
        // XML 1.0 cannot name most control characters, so such keys are removed one by one.
        let awkward = keys.filter { key in key.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0xFFFE } }
        for key in awkward { try await delete(bucket: bucket, key: key) }
        let plain = awkward.isEmpty ? keys : keys.filter { !awkward.contains($0) }
        guard !plain.isEmpty else { return [] }
        let body = S3Documents.deletion(keys: plain)
        var request = S3Request(method: .POST, bucket: bucket)
        request.query = [("delete", "")]
        request.headers = [("content-type", "application/xml"), ("content-md5", S3Documents.contentMD5(body))]
        request.body = .bytes(ByteBuffer(bytes: body))
        return try S3Documents.deletionFailures(try await document(request))
    }

    /// Creates a bucket; one that the caller already owns is success.
    ///
    /// - Throws: `refused` where the name is taken or not allowed; `unreachable`, `cancelled`.
    package func createBucket(_ name: String) async throws(S3ClientError) {
        var request = S3Request(method: .PUT, bucket: name)
        if region != "us-east-1" {
            // us-east-1 is the one region that must not be named (API reference, CreateBucket).
            request.body = .bytes(ByteBuffer(bytes: S3Documents.location(region: region)))
        }
        do {
            _ = try await document(request)
        } catch {
            if case .refused(409, "BucketAlreadyOwnedByYou") = error.code { return }
            throw error
        }
    }

    /// Removes an empty bucket.
    ///
    /// - Throws: `notFound`; `refused` with `BucketNotEmpty`; `unreachable`, `cancelled`.
    package func deleteBucket(_ name: String) async throws(S3ClientError) {
        _ = try await document(S3Request(method: .DELETE, bucket: name))
    }

    /// Whether a bucket exists and the credentials may see it.
    ///
    /// - Throws: `refused` where they may not; `unreachable`, `cancelled`.
    package func hasBucket(_ name: String) async throws(S3ClientError) -> Bool {
        do {
            _ = try await document(S3Request(method: .HEAD, bucket: name))
            return true
        } catch {
            if case .notFound = error.code { return false }
            throw error
        }
    }

    /// The buckets that the credentials may see, sorted as the store sends them.
    ///
    /// - Throws: `unreachable`, `refused`, `malformedAnswer`, `cancelled`.
    package func listBuckets() async throws(S3ClientError) -> [S3Bucket] {
        try S3Documents.buckets(try await document(S3Request(method: .GET)))
    }
}
