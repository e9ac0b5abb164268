import HTTPTypes
package import Hummingbird
import HummingbirdCore
package import Identity
import Logging
package import Model
package import ObjectEngine
package import S3Wire

/// Answers the S3 API over an object store.
///
/// Requests name buckets in the path or in the host, and are signed with Signature Version 4, or are nobody's. Works
/// on the raw request target: nothing is normalised, so that `a//b/../c` is a key like any other. Give the server
/// `S3Server.http1()`.
package struct S3Responder: HTTPResponder {
    package typealias Context = S3RequestContext

    /// The largest document that a request may carry, in bytes: 1,000 keys of 1,024 bytes, all escaped.
    static let documentLimit = 8 << 20

    let store: ObjectStore
    /// Why a target cannot be told of a bucket's events; `nil` where it can.
    let notificationRefusal: @Sendable (NotificationRule, BucketName, Principal) -> String?
    /// To be called before a bucket gets other rules of notification.
    let notificationsWillChange: @Sendable () async throws -> Void
    /// Why no content is taken in, in words; `nil` where it is.
    let storageRefusal: @Sendable () -> String?
    let lifecycles = DerivedSettings<LifecycleConfiguration>()
    let audit: S3Audit?
    let authentication: S3Authentication
    let rulesCache = BucketRulesCache()
    let virtualHosts: VirtualHosts
    let metrics = S3Metrics()

    /// What is known of a request for its answer, also where it fails.
    private struct Trace {
        /// S3's name, or `Unknown`.
        var operation = "Unknown"
        var request: ReceivedRequest?
        /// What is asked for, where that could be told.
        var asked: S3Operation?
        var principal = Principal.anonymous
        var bucket: BucketName?
        var crossOrigin = CrossOrigin.anyone
    }

    /// - Parameters:
    ///   - domains: the domains below which buckets have host names.
    ///   - secret: the secret key and the principal of an access key; `nil` for one that is not known.
    ///   - notificationRefusal: why somebody cannot have a target told of a bucket's events, in words; `nil` where they can.
    ///   - notificationsWillChange: is called before a bucket gets other rules of notification.
    ///   - storageRefusal: why no content is taken in at the moment, in words; `nil` where it is.
    ///   - audit: is told of changes and refusals; `nil` for nobody.
    ///   - logins: counts wrong keys and signatures; `nil` where nobody does.
    ///   - now: the clock that signatures are held against.
    package init(
        store: ObjectStore,
        domains: [String] = [],
        secret: @escaping @Sendable (_ accessKey: String) -> (secret: String, principal: Principal)?,
        notificationRefusal: @escaping @Sendable (NotificationRule, BucketName, Principal) -> String? = { _, _, _ in
            "There are no targets of notifications here."
        },
        notificationsWillChange: @escaping @Sendable () async throws -> Void = {},
        storageRefusal: @escaping @Sendable () -> String? = { nil },
        logins: LoginGuard? = nil,
        audit: S3Audit? = nil,
        now: @escaping @Sendable () -> Instant
    ) {
        self.store = store
        virtualHosts = VirtualHosts(domains)
        self.notificationRefusal = notificationRefusal
        self.notificationsWillChange = notificationsWillChange
        self.storageRefusal = storageRefusal
        self.audit = audit
        authentication = S3Authentication(secret: secret, logins: logins, now: now)
    }

    package func respond(to request: Request, context: S3RequestContext) async -> Response {
        let requestID = RequestIDs.shared.next()
        var trace = Trace()
        var response: Response
        do {
            response = try await answer(request, context: context, &trace)
        } catch {
            let failure = S3Error(error).completed(by: trace.request, bucket: trace.bucket)
            report(failure, operation: trace.operation, requestID: requestID, logger: context.logger)
            response = Self.answer(to: failure, request: request, requestID: requestID)
        }
        response.headers.set("x-amz-request-id", requestID)
        trace.crossOrigin.mark(&response)
        metrics.answered(trace.operation, status: response.status.code)
        audit?.tell(
            trace.asked, by: trace.principal, resource: request.head.path ?? "", from: context.sourceAddress,
            status: response.status.code, at: authentication.now())
        return response
    }

    private func answer(
        _ request: Request,
        context: S3RequestContext,
        _ trace: inout Trace
    ) async throws -> Response {
        let target = request.head.path ?? ""
        let host = request.head.authority ?? ""
        let virtualBucket = virtualHosts.bucket(inHost: host)
        let isGetOrHead = request.method == .get || request.method == .head
        if isGetOrHead, target == "/minio/health/live", virtualBucket == nil {
            trace.operation = "Health"
            return Response(status: .ok)
        }
        var headers = request.headers.map { (name: $0.name.canonicalName, value: $0.value) }
        headers.append((name: "host", value: host))
        let original = try ReceivedRequest(
            method: request.method.rawValue, target: target, headers: headers, virtualBucket: virtualBucket
        )
        let received = original.withHeadersOfQuery
        trace.request = received
        if request.method == .options { return try await preflight(received, &trace) }
        let operation = try S3Operation(of: received)
        trace.operation = operation.name
        trace.asked = operation
        let bucket = operation.bucket
        trace.bucket = bucket
        let facts = if let bucket { try await store.facts(of: bucket) } else { BucketFacts?.none }
        if let bucket, let facts, facts.settings[.cors] != nil {
            trace.crossOrigin = CrossOrigin(try rulesCache.rules(facts, of: bucket).crossOrigin, received)
        }
        let exchange = S3Exchange(
            request: received,
            body: request.body,
            proof: try authentication.authenticate(original, from: context.sourceAddress),
            sourceAddress: context.sourceAddress,
            bucket: bucket,
            facts: facts,
            time: authentication.now(),
            metrics: metrics,
            channel: context.channel
        )
        trace.principal = exchange.proof.principal
        try await authorise(operation, exchange)
        if operation.addsContent, let reason = storageRefusal() { throw S3Error(.storageFull, reason) }
        do {
            return try await perform(operation, exchange)
        } catch {
            guard !exchange.isByAdministrator, S3Error(error).code == .noSuchKey,
                try await !mayLearnOfMissing(exchange)
            else { throw error }
            throw S3Error(.accessDenied)
        }
    }

    /// Answers a browser that asks what a page may do: by the rules of the bucket, if it has any.
    private func preflight(_ request: ReceivedRequest, _ trace: inout Trace) async throws -> Response {
        trace.operation = "Preflight"
        var configuration: CrossOriginConfiguration?
        // What names no bucket has no rules.
        if let bucket = try? S3Path(of: request).bucket.map({ try BucketName($0) }),
            let facts = try await store.facts(of: bucket), facts.settings[.cors] != nil
        {
            configuration = try rulesCache.rules(facts, of: bucket).crossOrigin
        }
        if configuration != nil { trace.crossOrigin = .ruled(nil) }
        let (response, crossOrigin) = try CrossOrigin.preflight(configuration, request)
        trace.crossOrigin = crossOrigin
        return response
    }

    private func perform(_ operation: S3Operation, _ exchange: S3Exchange) async throws -> Response {
        switch operation {
        case .service(.listBuckets): try await listBuckets(exchange)
        case .bucket(let operation, let bucket): try await perform(operation, bucket, exchange)
        case .configuration(let operation, let bucket): try await perform(operation, bucket, exchange)
        case .object(let operation, let bucket, let key): try await perform(operation, bucket, key, exchange)
        }
    }

    private func perform(
        _ operation: S3Operation.OfBucket,
        _ bucket: BucketName,
        _ exchange: S3Exchange
    ) async throws -> Response {
        switch operation {
        case .create: try await createBucket(bucket, exchange)
        case .head: try await headBucket(bucket)
        case .delete: try await deleteBucket(bucket)
        case .getLocation: .document(LocationConstraint(try await facts(of: bucket).location))
        case .getVersioning: try await getVersioning(of: bucket)
        case .putVersioning: try await putVersioning(of: bucket, exchange)
        case .listVersions: try await listVersions(bucket, exchange)
        case .listObjects: try await listObjects(bucket, exchange)
        case .listObjectsV2: try await listObjectsV2(bucket, exchange)
        case .listUploads: try await listUploads(bucket, exchange)
        case .deleteObjects: try await deleteObjects(bucket, exchange)
        case .getPolicy: try getPolicy(exchange)
        case .putPolicy: try await putPolicy(of: bucket, exchange)
        case .deletePolicy: try await deletePolicy(of: bucket)
        case .getPolicyStatus: try getPolicyStatus(exchange)
        case .getPublicAccessBlock: try getPublicAccessBlock(exchange)
        case .putPublicAccessBlock: try await putPublicAccessBlock(of: bucket, exchange)
        case .deletePublicAccessBlock: try await deletePublicAccessBlock(of: bucket)
        case .getOwnership: try getOwnership(exchange)
        case .putOwnership: try await putOwnership(of: bucket, exchange)
        case .deleteOwnership: try await deleteOwnership(of: bucket)
        case .getAccessControl: try getAccessControl(exchange)
        case .putAccessControl: try await putAccessControl(of: bucket, exchange)
        case .getCORS: try getCORS(exchange)
        case .putCORS: try await putCORS(of: bucket, exchange)
        case .deleteCORS: try await deleteCORS(of: bucket)
        case .postObject: try await postObject(in: bucket, exchange)
        }
    }

    private func perform(
        _ operation: S3Operation.OfObject,
        _ bucket: BucketName,
        _ key: ObjectKey,
        _ exchange: S3Exchange
    ) async throws -> Response {
        switch operation {
        case .get, .head: try await getObject(key, in: bucket, withContent: operation == .get, exchange)
        case .put: try await putObject(key, in: bucket, exchange)
        case .copy: try await copyObject(to: key, in: bucket, exchange)
        case .delete: try await deleteObject(key, in: bucket, exchange)
        case .getAttributes: try await getObjectAttributes(key, in: bucket, exchange)
        case .getTagging: try await getTagging(of: key, in: bucket, exchange)
        case .putTagging: try await putTagging(of: key, in: bucket, exchange)
        case .deleteTagging: try await deleteTagging(of: key, in: bucket, exchange)
        case .createUpload: try await createUpload(key, in: bucket, exchange)
        case .putPart: try await putPart(key, in: bucket, exchange)
        case .copyPart: try await copyPart(key, in: bucket, exchange)
        case .listParts: try await listParts(key, in: bucket, exchange)
        case .completeUpload: try await completeUpload(key, in: bucket, exchange)
        case .abortUpload: try await abortUpload(key, in: bucket, exchange)
        case .getAccessControl: try await getAccessControl(of: key, in: bucket, exchange)
        case .putAccessControl: try await putAccessControl(of: key, in: bucket, exchange)
        }
    }

    private func report(_ error: S3Error, operation: String, requestID: String, logger: Logger) {
        var metadata: Logger.Metadata = [
            "s3.operation": "\(operation)", "s3.code": "\(error.code.rawValue)", "s3.request": "\(requestID)",
        ]
        if let cause = error.cause { metadata["error"] = "\(cause)" }
        let isOurs = error.code.status >= 500 && error.code != .notImplemented
        logger.log(level: isOurs ? .error : .debug, "S3 request failed", metadata: metadata)
    }

    private static func answer(to error: S3Error, request: Request, requestID: String) -> Response {
        let status = HTTPResponse.Status(code: error.code.status)
        var headers: HTTPFields = [:]
        for (name, value) in error.headers { headers.set(name, value) }
        guard request.method != .head else { return Response(status: status, headers: headers) }
        let resource = (request.head.path ?? "").prefix { $0 != "?" }
        let document = ErrorDocument(error: error, resource: String(resource), requestID: requestID)
        return .xml(document.xml, status: status, headers: headers)
    }
}
