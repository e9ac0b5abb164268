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
        let request = try CreateBucketRequest(parsing: try await exchange.readDocument(limit: 64 << 10))
        let owner = exchange.origin.principal
        let settings: [BucketSetting: String] = request.location.isEmpty ? [:] : [.location: request.location]
        if try await !store.createBucket(name, owner: owner, settings: settings) {
            let known = try await facts(of: name)
            guard known.owner == owner else { throw S3Error(.bucketAlreadyExists) }
            // Asking twice for the same is harmless; for another region it is not what there is.
            guard known.location == request.location else { throw S3Error(.bucketAlreadyOwnedByYou) }
        }
        return Response(status: .ok, headers: [.location: "/\(name.text)"])
    }

    func headBucket(_ name: BucketName) async throws -> Response {
        let location = try await facts(of: name).location
        var response = Response(status: .ok)
        response.headers.set("x-amz-bucket-region", location.isEmpty ? LocationConstraint.standard : location)
        return response
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

    func deleteObjects(_ bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let request = try DeleteObjectsRequest(parsing: try await exchange.readDocument(limit: Self.documentLimit))
        guard !request.namesVersions else {
            throw S3Error(.notImplemented, "Versions are not kept; leave VersionId out.")
        }
        var keys: [ObjectKey] = []
        var failed: [(key: String, error: S3Error)] = []
        for text in request.keys {
            do throws(S3Error) {
                keys.append(try S3Operation.key(text))
            } catch {
                failed.append((text, error))
            }
        }
        _ = try await store.delete(keys, in: bucket, origin: exchange.origin)
        return .document(DeleteResult(deleted: request.isQuiet ? [] : keys.map(\.text), failed: failed))
    }
}

extension BucketFacts {
    /// The region that the bucket's maker asked for; empty for `us-east-1`.
    var location: String { settings[.location] ?? "" }
}
