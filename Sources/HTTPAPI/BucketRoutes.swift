import Cluster
import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

/// `/system/buckets` (oscar-api.md section 7).
struct BucketRoutes: Sendable {
    private static let pageSize = 70
    /// Seconds; what OSCAR gives where nothing is said, and the longest that SigV4 allows.
    private static let defaultExpiry = 900
    private static let longestExpiry = 604_800

    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.get("", .cluster(.listBuckets)) { _, context in
            Response.json(.array(try await gateway.buckets.all(for: context.principal).map { json($0) }))
        }
        routes.post("", .cluster(.createBucket)) { request, context in try await create(request, context) }
        routes.put("", .cluster(.updateBuckets)) { request, context in try await update(request, context) }
        routes.get(":bucket", .bucket(.list)) { request, context in try await get(request, context) }
        routes.delete(":bucket", .bucket(.delete)) { _, context in
            try await gateway.buckets.remove(try Self.name(context), by: context.principal)
            return Response.empty(.noContent)
        }
        routes.post(":bucket/presign", .bucket(.list)) { request, context in try await presign(request, context) }
    }

    static func name(_ context: APIContext) throws -> BucketName {
        let text = try context.parameters.require("bucket")
        do { return try BucketName(text) } catch {
            throw TextError(.notFound, "The bucket '\(text)' does not exist")
        }
    }

    // MARK: Answers

    private static func members(_ view: BucketDesk.View, isList: Bool) -> JSONObject {
        let bucket = view.bucket
        var metadata = bucket.tags
        // As OSCAR's list, which has the owner beside.
        if isList { metadata["owner"] = nil }
        // Those that are the administrator's and nobody else's have none.
        let isPlain = view.sharing.visibility == .private && UserID.reserved.contains(bucket.owner)
        return [
            "bucket_name": .string(bucket.name.text),
            "visibility": .string(isPlain ? "" : view.sharing.visibility.rawValue),
            "allowed_users": .strings(view.sharing.allowedUsers), "owner": .string(bucket.owner),
            "metadata": .map(metadata),
        ]
    }

    private func json(_ view: BucketDesk.View) -> JSONValue {
        let bucket = view.bucket
        var object = Self.members(view, isList: true)
        object["storage_quota"] = Self.quota(gateway.quotas?.book.quota(of: bucket.owner).bucketBytes)
        object["storage_usage"] = .object([
            "used": .string(Self.humanSize(bucket.size)), "used_bytes": .integer(bucket.size.bytes),
            "objects": .integer(bucket.objectCount),
        ])
        return .object(object)
    }

    private static func quota(_ most: ByteCount?) -> JSONValue {
        guard let most else { return .object(["source": "unset"]) }
        return .object([
            "max": .string(QuotaField.byteText(most.bytes)), "max_bytes": .integer(most.bytes), "source": "bucket",
        ])
    }

    /// One decimal, `.0` dropped, `Ki` to `Ti`, bare bytes below 1024, as OSCAR writes sizes.
    static func humanSize(_ size: ByteCount) -> String {
        let parts = size.description.split(separator: " ")
        guard parts.count == 2, parts[1] != "B" else { return "\(size.bytes)" }
        return "\(parts[0])\(parts[1].dropLast())"
    }

    // MARK: Requests

    private struct BucketRequest {
        let name: BucketName
        /// `nil` where nothing is said.
        let visibility: ServiceDefinition.Visibility?
        let allowedUsers: [String]
    }

    private func bucketRequest(_ request: Request) async throws -> BucketRequest {
        let json = try await request.json()
        guard let object = json.objectValue,
            let path = object.value(ignoringCase: "bucket_name")?.stringValue, !path.isEmpty
        else { throw TextError(.badRequest, "bucket_name: the name of the bucket is required") }
        let visibility = object.value(ignoringCase: "visibility")?.stringValue ?? ""
        let known = ServiceDefinition.Visibility(rawValue: visibility.lowercased())
        guard visibility.isEmpty || known != nil else {
            throw TextError(.badRequest, "visibility: write private, restricted or public")
        }
        let users = object.value(ignoringCase: "allowed_users")?.arrayValue?.compactMap(\.stringValue) ?? []
        do {
            let name = try BucketName(path.prefix { $0 != "/" })
            return BucketRequest(name: name, visibility: known, allowedUsers: users)
        } catch {
            throw TextError(.badRequest, "bucket_name: \(error)")
        }
    }

    private func create(_ request: Request, _ context: APIContext) async throws -> Response {
        let bucket = try await bucketRequest(request)
        try await gateway.buckets.create(
            bucket.name, by: context.principal, visibility: bucket.visibility, allowedUsers: bucket.allowedUsers)
        return Response.empty(.created)
    }

    private func update(_ request: Request, _ context: APIContext) async throws -> Response {
        let bucket = try await bucketRequest(request)
        try await gateway.buckets.update(
            bucket.name, by: context.principal, visibility: bucket.visibility, allowedUsers: bucket.allowedUsers)
        return Response.empty(.noContent)
    }

    private func get(_ request: Request, _ context: APIContext) async throws -> Response {
        let name = try Self.name(context)
        let bucket = try await gateway.buckets.bucket(name)
        let limit = request.query("limit").flatMap(Int.init).map { min(max($0, 1), 1000) } ?? Self.pageSize
        let after = try request.query("page").flatMap { $0.isEmpty ? nil : $0 }.map { page in
            guard let bytes = Base64.decode(page) else {
                throw TextError(.badRequest, "page: not the next_page of an earlier answer")
            }
            return String(decoding: bytes, as: UTF8.self)
        }
        let listing = try await gateway.buckets.objects(
            of: name, prefix: request.query("prefix") ?? "", after: after, limit: limit
        )
        var object = Self.members(bucket, isList: false)
        object["objects"] = .array(
            listing.objects.map { record in
                .object([
                    "object_name": .string(record.key.text), "size_bytes": .integer(record.size.bytes),
                    "last_modified": .string(record.lastModified.rfc3339()),
                ])
            }
        )
        if let next = listing.next { object["next_page"] = .string(Base64.encode(Array(next.utf8))) }
        object["is_truncated"] = .bool(listing.isTruncated)
        object["returned_items"] = .integer(listing.objects.count)
        return .json(.object(object))
    }

    // MARK: Presigning

    private func presign(_ request: Request, _ context: APIContext) async throws -> Response {
        let name = try Self.name(context)
        _ = try await gateway.buckets.bucket(name)
        let body = try await request.json()
        let trimmed = (body["object_key"]?.stringValue ?? "").drop { $0 == "/" }
        let text = String(String(trimmed.reversed().drop { $0 == "/" }.reversed()))
        guard let key = try? ObjectKey(text) else { throw TextError(.badRequest, "object_key: the key is required") }
        let operation = body["operation"]?.stringValue ?? ""
        guard operation == "upload" || operation == "download" else {
            throw TextError(.badRequest, "operation: write upload or download")
        }
        // oscar-python 2.2.0 says `expires` where the API says `expires_in`.
        let asked = (body["expires_in"] ?? body["expires"])?.integerValue ?? 0
        let expiry = asked == 0 ? Self.defaultExpiry : Int(clamping: asked)
        guard (1...Self.longestExpiry).contains(expiry) else {
            throw TextError(.badRequest, "expires_in: between 1 and \(Self.longestExpiry) seconds")
        }
        let contentType = body["content_type"]?.stringValue ?? ""
        let action: Action.OfBucket = operation == "upload" ? .writeObject : .readObject
        let isAllowed = try await gateway.buckets.allows(
            context.principal, action, name, key: key, from: context.remoteAddress)
        guard isAllowed, let keys = gateway.storeKeys(of: context.principal) else {
            throw Refusal.of(action, context.principal)
        }
        return .json(
            sign(name, key, keys, isUpload: operation == "upload", expiry: expiry, contentType: contentType))
    }

    private func sign(
        _ bucket: BucketName,
        _ key: ObjectKey,
        _ keys: S3Credentials,
        isUpload: Bool,
        expiry: Int,
        contentType: String
    ) -> JSONValue {
        let description = gateway.description
        let endpoint = description.store.endpoint
        let host = endpoint.split(separator: "/").last.map(String.init) ?? endpoint
        var signable = SignableRequest(
            method: isUpload ? "PUT" : "GET", host: host, path: S3Path.encoded(bucket: bucket, key: key)
        )
        if !isUpload, !contentType.isEmpty { signable.query.items.append(.init("response-content-type", contentType)) }
        let signer = RequestSigner(
            credentials: keys,
            region: description.store.region
        )
        let now = gateway.now()
        let query = signer.presign(signable, expiry: expiry, at: now)
        var answer: JSONObject = [
            "object_key": .string(key.text), "operation": .string(isUpload ? "upload" : "download"),
            "method": .string(signable.method), "url": .string("\(endpoint)\(signable.path)?\(query)"),
            "expires_at": .string((now + .seconds(expiry)).rfc3339()),
        ]
        if isUpload, !contentType.isEmpty { answer["headers"] = .object(["Content-Type": .string(contentType)]) }
        return .object(answer)
    }
}
