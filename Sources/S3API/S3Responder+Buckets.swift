import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    func listBuckets(_ exchange: S3Exchange) async throws -> Response {
        let buckets = try await store.buckets()
        return .document(
            ListBucketsResult(owner: exchange.owner, buckets: buckets.map { ($0.name.text, $0.created) })
        )
    }

    func createBucket(_ name: BucketName, _ exchange: S3Exchange) async throws -> Response {
        if exchange.header("x-amz-bucket-object-lock-enabled")?.lowercased() == "true" {
            throw S3Error(.notImplemented, "Object lock is not implemented.")
        }
        try Self.checkAccessControl(exchange)
        _ = try CreateBucketRequest(parsing: try await exchange.readDocument(limit: 64 << 10))
        guard try await store.createBucket(name, owner: exchange.origin.principal) else {
            let owner = try await store.bucket(name)?.owner
            throw S3Error(owner == exchange.origin.principal ? .bucketAlreadyOwnedByYou : .bucketAlreadyExists)
        }
        return Response(status: .ok, headers: [.location: "/\(name.text)"])
    }

    func headBucket(_ name: BucketName) async throws -> Response {
        guard try await store.bucket(name) != nil else { throw S3Error(.noSuchBucket) }
        return Response(status: .ok)
    }

    func deleteBucket(_ name: BucketName) async throws -> Response {
        try await store.deleteBucket(name)
        return .bodiless(.noContent)
    }

    /// Answers with a document that is the same for every bucket.
    func describe(_ name: BucketName, _ document: some ResultDocument) async throws -> Response {
        guard try await store.bucket(name) != nil else { throw S3Error(.noSuchBucket) }
        return .document(document)
    }
}
