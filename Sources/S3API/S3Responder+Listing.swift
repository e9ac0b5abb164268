import Hummingbird
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    func listObjects(_ bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let marker = exchange.query["marker"] ?? ""
        let page = try PageRequest(exchange.query, limitName: "max-keys")
        let listing = try await list(bucket, page, after: marker)
        // Without a delimiter clients go on behind the last key, as the API reference says.
        let nextMarker = page.delimiter == nil ? nil : listing.next
        let version = ListObjectsResult.Version.one(marker: marker, nextMarker: nextMarker)
        return .document(Self.result(version, bucket, page, listing, owner: exchange.owner))
    }

    func listObjectsV2(_ bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let query = exchange.query
        let page = try PageRequest(query, limitName: "max-keys")
        let token = query["continuation-token"]
        let startAfter = query["start-after"]
        let after = try token.map { (token) throws(S3Error) in try Self.place(ofToken: token) } ?? startAfter ?? ""
        let listing = try await list(bucket, page, after: after)
        let version = ListObjectsResult.Version.two(
            startAfter: startAfter,
            token: token,
            nextToken: listing.next.map { Base64.encode(Array($0.utf8)) }
        )
        let owner = query["fetch-owner"]?.lowercased() == "true" ? exchange.owner : nil
        return .document(Self.result(version, bucket, page, listing, owner: owner))
    }

    private func list(_ bucket: BucketName, _ page: PageRequest, after: String) async throws -> Listing {
        try await store.list(
            bucket: bucket,
            prefix: page.prefix,
            delimiter: page.delimiter,
            after: after.isEmpty ? nil : after,
            limit: page.limit
        )
    }

    /// Tokens are opaque to clients; ours are the place to go on from, in base64.
    static func place(ofToken token: String) throws(S3Error) -> String {
        guard !token.isEmpty, let bytes = Base64.decode(token), let place = String(validating: bytes, as: UTF8.self)
        else {
            throw S3Error(.invalidArgument, "The continuation token provided is incorrect.")
        }
        return place
    }

    private static func result(
        _ version: ListObjectsResult.Version,
        _ bucket: BucketName,
        _ page: PageRequest,
        _ listing: Listing,
        owner: OwnerElement?
    ) -> ListObjectsResult {
        ListObjectsResult(
            version: version,
            bucket: bucket.text,
            prefix: page.prefix,
            delimiter: page.delimiter,
            maximumKeys: page.limit,
            encoding: page.encoding,
            isTruncated: listing.isTruncated,
            objects: listing.objects.map { ListedObject($0) },
            commonPrefixes: listing.commonPrefixes,
            owner: owner
        )
    }
}

extension ListedObject {
    init(_ record: ObjectRecord) {
        self.init(
            key: record.key.text,
            lastModified: record.lastModified,
            eTag: record.eTag,
            size: record.size.bytes,
            checksums: record.attributes.checksums.keys.sorted { $0.rawValue < $1.rawValue },
            checksumType: record.attributes.checksums.isEmpty ? nil : record.attributes.checksumType,
            storageClass: record.attributes.storageClass
        )
    }
}

/// What all lists have in common.
struct PageRequest: Sendable {
    /// The most entries that a list has.
    static let maximumLimit = 1000

    let prefix: String
    let delimiter: String?
    let encoding: NameEncoding
    let limit: Int

    /// - Parameter limitName: of the parameter with the most entries that the client wants.
    /// - Throws: `S3Error` with `invalidArgument`.
    init(_ query: QueryItems, limitName: String) throws(S3Error) {
        prefix = query["prefix"] ?? ""
        delimiter = query["delimiter"].flatMap { $0.isEmpty ? nil : $0 }
        switch query["encoding-type"]?.lowercased() {
        case nil, "": encoding = .none
        case "url": encoding = .url
        default: throw S3Error(.invalidArgument, "Invalid Encoding Method specified in Request")
        }
        limit = min(try Self.number(limitName, in: query) ?? Self.maximumLimit, Self.maximumLimit)
    }

    /// A parameter that is a number, 0 or greater.
    ///
    /// - Throws: `S3Error` with `invalidArgument`.
    static func number(_ name: String, in query: QueryItems) throws(S3Error) -> Int? {
        guard let text = query[name], !text.isEmpty else { return nil }
        guard let number = Int(text), number >= 0, number <= Int(Int32.max) else {
            throw S3Error(
                .invalidArgument,
                "Provided \(name) not an integer or within integer range",
                details: [("ArgumentName", name), ("ArgumentValue", text)]
            )
        }
        return number
    }
}
