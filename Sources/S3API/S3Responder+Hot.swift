import HTTPTypes
import Model
import NIOCore
import NIOHTTP1
import ObjectEngine
import S3Wire

/// An answer that was in memory.
struct HotAnswer {
    let head: HTTPResponseHead
    let content: ByteBuffer?
}

extension S3Responder {
    /// What an administrator, or a user by the bucket's sharing, who asks for an object gets, where all of it is in memory.
    ///
    /// `nil` for everything else, also for what is to be refused: that goes the long way, which says why. What is
    /// answered here is what the long way would answer; it waits for nothing, and no task takes it.
    func hotAnswer(to head: HTTPRequestHead) -> HotAnswer? {
        let host = head.headers.first(name: "host") ?? ""
        let request = try? ReceivedRequest(
            method: head.method.rawValue, target: head.uri,
            headers: head.headers.map { (name: $0.name, value: $0.value) },
            virtualBucket: virtualHosts.bucket(inHost: host)
        )
        guard let request, request.query.items.allSatisfy({ $0.name == "x-id" }), request.header("range") == nil,
            case .object(let operation, let bucket, let key) = try? S3Operation(of: request),
            operation == .get || operation == .head,
            let facts = store.knownFacts(of: bucket), facts.settings.isSilentOnReads,
            let found = store.hotObject(key, in: bucket), operation == .head || found.isInMemory,
            let principal = try? authentication.authenticate(request).principal,
            principal.mayReadHot(facts, of: bucket, rulesCache),
            (try? Self.isWanted(found.record, request)) == true
        else { return nil }
        var content: ByteBuffer?
        if operation == .get {
            guard let bytes = try? store.bytes(of: found) else { return nil }
            content = bytes
            metrics.sent(bytes.readableBytes)
        }
        var headers = HTTPHeaders()
        headers.reserveCapacity(14)
        for field in Self.headers(of: found.record, range: nil, request) {
            headers.add(name: field.name.rawName, value: field.value)
        }
        for (name, value) in CrossOrigin.headersForAnyone { headers.add(name: name, value: value) }
        headers.add(name: "x-amz-request-id", value: RequestIDs.shared.next())
        metrics.answered(operation.rawValue, status: 200)
        return HotAnswer(head: HTTPResponseHead(version: .http1_1, status: .ok, headers: headers), content: content)
    }
}

extension Principal {
    /// Whether it may read what is in a bucket without a policy, by the same rules as on the long way.
    fileprivate func mayReadHot(_ facts: BucketFacts, of bucket: BucketName, _ cache: BucketRulesCache) -> Bool {
        switch self {
        case .administrator: true
        case .user: (try? cache.rules(facts, of: bucket)).map { may(.readObject, $0.access.sharing) } ?? false
        case .service, .anonymous: false
        }
    }
}

extension [BucketSetting: String] {
    /// Whether nothing in them says who may read an object, or what stands in the answer.
    fileprivate var isSilentOnReads: Bool {
        isEmpty || (self[.policy] == nil && self[.cors] == nil && self[.lifecycle] == nil)
    }
}
