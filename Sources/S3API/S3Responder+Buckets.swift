import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    /// The most buckets that a page of their list has.
    private static let bucketLimit = 10_000

    func listBuckets(_ exchange: S3Exchange) async throws -> Response {
        let query = exchange.query
        let limit = try PageRequest.number("max-buckets", in: query) ?? Self.bucketLimit
        guard (1...Self.bucketLimit).contains(limit) else {
            throw S3Error(
                .invalidArgument, "The max-buckets must be between 1 and \(Self.bucketLimit).",
                details: [("ArgumentName", "max-buckets"), ("ArgumentValue", String(limit))]
            )
        }
        let token = query["continuation-token"]
        let after = try token.map { (token) throws(S3Error) in try Self.place(ofToken: token) }
        let prefix = query["prefix"]
        let found = try await visibleBuckets(exchange).filter { bucket in
            let name = bucket.name.text
            return (prefix.map(name.hasPrefix) ?? true) && (after.map { $0 < name } ?? true)
        }
        let page = found.prefix(limit)
        let next = found.count > limit ? page.last.map { Base64.encode(Array($0.name.text.utf8)) } : nil
        return .document(
            ListBucketsResult(
                owner: exchange.owner, buckets: page.map { ($0.name.text, $0.created) }, prefix: prefix, nextToken: next
            )
        )
    }

    /// Those that whoever asks may list, by ownership and sharing: what policies give shows only to those who know of it.
    private func visibleBuckets(_ exchange: S3Exchange) async throws -> [Bucket] {
        let buckets = try await store.buckets()
        guard !exchange.isByAdministrator else { return buckets }
        let documents = try await Dictionary(store.documents(.sharing).map { ($0.bucket, $0.document) }) { $1 }
        let principal = exchange.proof.principal
        return buckets.filter { principal.may(.list, Sharing(owner: $0.owner, document: documents[$0.name])) }
    }

    func createBucket(_ name: BucketName, _ exchange: S3Exchange) async throws -> Response {
        if exchange.header("x-amz-bucket-object-lock-enabled")?.lowercased() == "true" {
            throw S3Error(.notImplemented, "Object lock is not implemented.")
        }
        let list = try requestedAccessControl(exchange)
        let ownership = try Self.requestedOwnership(exchange)
        guard !list.isPublic || ownership != .bucketOwnerEnforced else {
            throw S3Error(.invalidBucketAclWithObjectOwnership)
        }
        let request = try CreateBucketRequest(parsing: try await exchange.readDocument(limit: 64 << 10))
        let owner = exchange.origin.principal
        var settings: [BucketSetting: String] = [:]
        if !request.location.isEmpty { settings[.location] = request.location }
        if list.isPublic { settings[.accessControl] = list.rawValue }
        if let ownership { settings[.ownership] = String(decoding: ownership.xml, as: UTF8.self) }
        if try await !store.createBucket(name, owner: owner, settings: settings) {
            let known = try await facts(of: name)
            let isOwn = known.owner == owner || exchange.isByAdministrator && UserID.reserved.contains(known.owner)
            guard isOwn else { throw S3Error(.bucketAlreadyExists) }
            // Asking twice for the same is harmless; for another region it is not what there is.
            guard known.location == request.location else { throw S3Error(.bucketAlreadyOwnedByYou) }
        }
        return Response(status: .ok, headers: [.location: "/\(name.text)"])
    }

    private static func requestedOwnership(_ exchange: S3Exchange) throws(S3Error) -> ObjectOwnership? {
        guard let text = exchange.header("x-amz-object-ownership") else { return nil }
        guard let ownership = ObjectOwnership(rawValue: text) else {
            throw S3Error(.invalidArgument, "Invalid x-amz-object-ownership header: \(text)")
        }
        return ownership
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
}

extension BucketFacts {
    /// The region that the bucket's maker asked for; empty for `us-east-1`.
    var location: String { settings[.location] ?? "" }
}
