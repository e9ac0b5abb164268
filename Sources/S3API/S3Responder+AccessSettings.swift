import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

/// The documents that say who may do what in a bucket.
extension S3Responder {
    /// The largest of these documents, in bytes; what is larger is read no further.
    private static let settingLimit = 64 << 10

    /// The document of a setting.
    ///
    /// - Throws: `S3Error` with `noSuchBucket`, and with `missing` where there is none.
    private func document(
        _ setting: BucketSetting,
        orThrow missing: S3ErrorCode,
        _ exchange: S3Exchange
    ) throws(S3Error) -> String {
        guard let facts = exchange.facts else { throw S3Error(.noSuchBucket) }
        guard let document = facts.settings[setting] else { throw S3Error(missing) }
        return document
    }

    private func set(_ setting: BucketSetting, _ document: String?, of bucket: BucketName) async throws -> Response {
        try await store.set([setting: document], of: bucket)
        return .bodiless(.noContent)
    }

    private func body(_ exchange: S3Exchange) async throws -> [UInt8] {
        guard exchange.facts != nil else { throw S3Error(.noSuchBucket) }
        let body = try await exchange.readDocument(limit: Self.settingLimit)
        guard !body.isEmpty else { throw S3Error(.missingRequestBody) }
        return body
    }

    func getPolicy(_ exchange: S3Exchange) throws(S3Error) -> Response {
        let text = try document(.policy, orThrow: .noSuchBucketPolicy, exchange)
        return Response(
            status: .ok, headers: [.contentType: "application/json"],
            body: ResponseBody(byteBuffer: .init(string: text))
        )
    }

    func putPolicy(of bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let bytes = try await body(exchange)
        let policy = try BucketPolicy(parsing: bytes, bucket: bucket.text)
        guard try !(policy.isPublic && rules(exchange).access.publicAccess.blocksPublicPolicy) else {
            throw S3Error(.accessDenied, "Public policies are blocked by the BlockPublicPolicy setting of the bucket.")
        }
        return try await set(.policy, String(decoding: bytes, as: UTF8.self), of: bucket)
    }

    func deletePolicy(of bucket: BucketName) async throws -> Response { try await set(.policy, nil, of: bucket) }

    func getPolicyStatus(_ exchange: S3Exchange) throws(S3Error) -> Response {
        _ = try document(.policy, orThrow: .noSuchBucketPolicy, exchange)
        let isPublic = try rules(exchange).access.policy?.isPublic ?? false
        return .document(PolicyStatus(isPublic: isPublic))
    }

    func getPublicAccessBlock(_ exchange: S3Exchange) throws(S3Error) -> Response {
        _ = try document(.publicAccessBlock, orThrow: .noSuchPublicAccessBlockConfiguration, exchange)
        return .document(try rules(exchange).access.publicAccess)
    }

    func putPublicAccessBlock(of bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let block = try PublicAccessBlock(parsing: await body(exchange))
        try await store.set([.publicAccessBlock: block.text], of: bucket)
        return Response(status: .ok)
    }

    func deletePublicAccessBlock(of bucket: BucketName) async throws -> Response {
        try await set(.publicAccessBlock, nil, of: bucket)
    }

    func getOwnership(_ exchange: S3Exchange) throws(S3Error) -> Response {
        _ = try document(.ownership, orThrow: .ownershipControlsNotFound, exchange)
        guard let ownership = try rules(exchange).access.ownership else { throw S3Error(.ownershipControlsNotFound) }
        return .document(ownership)
    }

    func putOwnership(of bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let ownership = try ObjectOwnership(parsing: await body(exchange))
        let isOff = ownership == .bucketOwnerEnforced
        guard try !(isOff && rules(exchange).access.accessControl.isPublic) else {
            throw S3Error(.invalidBucketAclWithObjectOwnership)
        }
        try await store.set([.ownership: ownership.text], of: bucket)
        return Response(status: .ok)
    }

    func deleteOwnership(of bucket: BucketName) async throws -> Response { try await set(.ownership, nil, of: bucket) }

    func getCORS(_ exchange: S3Exchange) throws(S3Error) -> Response {
        _ = try document(.cors, orThrow: .noSuchCORSConfiguration, exchange)
        guard let configuration = try rules(exchange).crossOrigin else { throw S3Error(.noSuchCORSConfiguration) }
        return .document(configuration)
    }

    func putCORS(of bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let configuration = try CrossOriginConfiguration(parsing: await body(exchange))
        try await store.set([.cors: configuration.text], of: bucket)
        return Response(status: .ok)
    }

    func deleteCORS(of bucket: BucketName) async throws -> Response { try await set(.cors, nil, of: bucket) }

    func getAccessControl(_ exchange: S3Exchange) throws(S3Error) -> Response {
        let list = try rules(exchange).access.accessControl
        return .document(AccessControlPolicy(owner: exchange.owner, list: list))
    }

    func putAccessControl(of bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let list = try await newAccessControl(exchange)
        try await store.set([.accessControl: list.isPublic ? list.rawValue : nil], of: bucket)
        return Response(status: .ok)
    }

    func getAccessControl(of key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let version = try exchange.version()
        let record = try await store.find(key, version: version, in: bucket).object(key, version: version)
        var headers: HTTPFields = [:]
        headers.set(record.version)
        return .document(
            AccessControlPolicy(owner: exchange.owner, list: record.attributes.accessControl), headers: headers
        )
    }

    func putAccessControl(of key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let list = try await newAccessControl(exchange)
        let version = try exchange.version()
        let record = try await store.setAccessControl(list, of: key, version: version, in: bucket)
            .object(key, version: version)
        var headers: HTTPFields = [:]
        headers.set(record.version)
        return Response(status: .ok, headers: headers)
    }

    /// The list that a request sets: in its headers, or in its body.
    private func newAccessControl(_ exchange: S3Exchange) async throws -> CannedAccessControl {
        let body = try await exchange.readDocument(limit: Self.settingLimit)
        let fromHeaders = try CannedAccessControl(headersOf: exchange.request, owner: exchange.owner.id)
        let list: CannedAccessControl
        switch (fromHeaders, body.isEmpty) {
        case (let given?, true): list = given
        case (nil, false): list = try CannedAccessControl(parsing: body, owner: exchange.owner.id)
        case (nil, true): throw S3Error(.missingRequestBody)
        case (_?, false):
            throw S3Error(.unexpectedContent)
        }
        try check(list, exchange)
        return list
    }
}

extension ResultDocument {
    /// The whole document as text.
    fileprivate var text: String { String(decoding: xml, as: UTF8.self) }
}
