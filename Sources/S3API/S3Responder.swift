import HTTPTypes
package import Hummingbird
import HummingbirdCore
import Logging
package import Model
package import ObjectEngine
import S3Wire

/// Answers the S3 API over an object store.
///
/// Requests name buckets in the path, and are signed with Signature Version 4. Works on the raw request target:
/// nothing is normalised, so that `a//b/../c` is a key like any other. Give the server `S3Server.http1()`.
package struct S3Responder: HTTPResponder {
    package typealias Context = S3RequestContext

    /// The largest document that a request may carry, in bytes: 1,000 keys of 1,024 bytes, all escaped.
    static let documentLimit = 8 << 20

    let store: ObjectStore
    private let authentication: S3Authentication
    private let metrics = S3Metrics()

    /// - Parameters:
    ///   - secret: the secret key and the principal of an access key; `nil` for one that is not known.
    ///   - now: the clock that signatures are held against.
    package init(
        store: ObjectStore,
        secret: @escaping @Sendable (_ accessKey: String) -> (secret: String, principal: Principal)?,
        now: @escaping @Sendable () -> Instant
    ) {
        self.store = store
        authentication = S3Authentication(secret: secret, now: now)
    }

    package func respond(to request: Request, context: S3RequestContext) async -> Response {
        let requestID = Self.newRequestID()
        var operation = "Unknown"
        var response: Response
        do {
            response = try await answer(request, context: context, operation: &operation)
        } catch {
            let failure = S3Error(error)
            report(failure, operation: operation, requestID: requestID, logger: context.logger)
            response = Self.answer(to: failure, request: request, requestID: requestID)
        }
        response.headers.set("x-amz-request-id", requestID)
        CrossOrigin.mark(&response)
        metrics.answered(operation, status: response.status.code)
        return response
    }

    private func answer(
        _ request: Request,
        context: S3RequestContext,
        operation name: inout String
    ) async throws -> Response {
        let target = request.head.path ?? ""
        switch (request.method, target) {
        case (.options, _):
            name = "Preflight"
            return CrossOrigin.preflight(request.headers)
        case (.get, "/minio/health/live"), (.head, "/minio/health/live"):
            name = "Health"
            return Response(status: .ok)
        default: break
        }
        var headers = request.headers.map { (name: $0.name.canonicalName, value: $0.value) }
        headers.append((name: "host", value: request.head.authority ?? ""))
        let received = try ReceivedRequest(method: request.method.rawValue, target: target, headers: headers)
        let proof = try authentication.authenticate(received)
        let operation = try S3Operation(of: received)
        name = operation.name
        let exchange = S3Exchange(
            request: received,
            body: request.body,
            proof: proof,
            origin: RequestOrigin(principal: proof.principal.name, sourceAddress: context.sourceAddress),
            metrics: metrics,
            channel: context.channel
        )
        return try await perform(operation, exchange)
    }

    private func perform(_ operation: S3Operation, _ exchange: S3Exchange) async throws -> Response {
        switch operation {
        case .service(.listBuckets): try await listBuckets(exchange)
        case .bucket(let operation, let bucket): try await perform(operation, bucket, exchange)
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
        case .getLocation: try await describe(bucket, LocationConstraint())
        case .getVersioning: try await getVersioning(of: bucket)
        case .putVersioning: try await putVersioning(of: bucket, exchange)
        case .listVersions: try await listVersions(bucket, exchange)
        case .listObjects: try await listObjects(bucket, exchange)
        case .listObjectsV2: try await listObjectsV2(bucket, exchange)
        case .listUploads: try await listUploads(bucket, exchange)
        case .deleteObjects: try await deleteObjects(bucket, exchange)
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

    private static func newRequestID() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16, uppercase: true)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
