import AsyncHTTPClient
import Model
import NIOCore
import NIOHTTP1
import S3Wire

/// One request, before it is signed.
struct S3Request: Sendable {
    enum Body: Sendable {
        case none
        case bytes(ByteBuffer)
        case file(FileRange)
    }

    var method: HTTPMethod
    var bucket = ""
    var key = ""
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body = Body.none
    /// How long the answer's head may take.
    var patience = TimeAmount.seconds(60)

    /// What the request is about, for messages.
    var subject: String {
        if bucket.isEmpty { return "the list of buckets" }
        return key.isEmpty ? "bucket \"\(bucket)\"" : "\"\(bucket)/\(key)\""
    }
}

extension S3Client {
    /// Sends a request and hands the successful answer to `read`; an answer of 300 and above is thrown.
    ///
    /// - Throws: every code of `S3ClientError`.
    func exchange<Result>(
        _ request: S3Request,
        _ read: (HTTPClientResponse) async throws -> Result
    ) async throws(S3ClientError) -> Result {
        do {
            let prepared = try await httpRequest(request)
            let response = try await httpClient.execute(prepared, deadline: .now() + request.patience)
            guard response.status.code < 300 else { throw await refusal(response, request) }
            return try await read(response)
        } catch {
            throw S3ClientError.wrapping(error, endpoint: endpoint, subject: request.subject)
        }
    }

    /// Like `exchange`, for an answer that is a document: its bytes, at most 16 MiB.
    func document(_ request: S3Request) async throws(S3ClientError) -> [UInt8] {
        try await exchange(request) { response in
            Array(buffer: try await response.body.collect(upTo: 16 << 20))
        }
    }

    private func httpRequest(_ request: S3Request) async throws -> HTTPClientRequest {
        var path = endpoint.basePath
        if !request.bucket.isEmpty { path += "/" + PercentEncoding.encoded(request.bucket) }
        if !request.key.isEmpty { path += "/" + PercentEncoding.encoded(request.key, keepingSlashes: true) }
        if path.isEmpty { path = "/" }
        let query = QueryItems(request.query.map { QueryItems.Item($0.name, $0.value) })
        let queryText = query.items.isEmpty ? "" : "?" + query.canonicalText

        let scheme = endpoint.isSecure ? "https://" : "http://"
        var prepared = HTTPClientRequest(url: scheme + endpoint.authority + path + queryText)
        prepared.method = request.method
        prepared.tlsConfiguration = tls
        switch request.body {
        case .none: break
        case .bytes(let bytes): prepared.body = .bytes(bytes)
        case .file(let range): prepared.body = .stream(range, length: .known(Int64(range.range.count)))
        }
        let signable = SignableRequest(
            method: request.method.rawValue, host: endpoint.authority, path: path, query: query,
            headers: request.headers)
        let signature = signer.sign(signable, payload: try await payloadHash(request.body), at: now())
        for (name, value) in request.headers + signature.headers + TraceContext.outgoing {
            prepared.headers.add(name: name, value: value)
        }
        prepared.headers.add(name: "host", value: endpoint.authority)
        return prepared
    }

    /// The payload's hash for the signature.
    ///
    /// Over TLS the transport already protects a file's bytes, and hashing would read the file twice; in the clear
    /// the hash lets the store detect a damaged or forged body.
    private func payloadHash(_ body: S3Request.Body) async throws -> PayloadHash {
        switch body {
        case .none: .empty
        case .bytes(let bytes): PayloadHash.of(bytes.readableBytesView)
        case .file(let range): endpoint.isSecure ? .unsigned : .sha256(try await range.sha256())
        }
    }

    private func refusal(_ response: HTTPClientResponse, _ request: S3Request) async -> S3ClientError {
        let status = Int(response.status.code)
        // An unreadable error document loses only its words; the status still says what happened.
        let bytes = try? await response.body.collect(upTo: 256 << 10)
        let document = bytes.map { S3ErrorDocument(Array(buffer: $0)) } ?? S3ErrorDocument()
        var error = S3ClientError.refusal(
            status: status, document: document, endpoint: endpoint, subject: request.subject)
        error.retryAfter = response.headers.first(name: "retry-after").flatMap { RetryAfter.parse($0, at: now()) }
        return error
    }
}

extension S3ClientError {
    /// The error for an answer that says "no".
    static func refusal(
        status: Int,
        document: S3ErrorDocument,
        endpoint: S3Endpoint,
        subject: String
    ) -> S3ClientError {
        let words = document.message.isEmpty ? document.code : document.message
        switch (status, document.code) {
        case (404, "NoSuchBucket"): return S3ClientError(.notFound, "the bucket of \(subject) does not exist")
        case (404, _): return S3ClientError(.notFound, "\(subject) does not exist")
        case (300..<400, _):
            let advice = "use the address that it names, or the right region"
            return S3ClientError(
                .refused(status: status, s3Code: document.code),
                "\(endpoint.text) sends the request for \(subject) elsewhere: \(advice)")
        default:
            let reason = words.isEmpty ? "status \(status)" : "\(words) (status \(status))"
            return S3ClientError(
                .refused(status: status, s3Code: document.code), "\(endpoint.text) refused \(subject): \(reason)")
        }
    }

    /// Any error on the way as one of ours.
    static func wrapping(_ error: any Error, endpoint: S3Endpoint, subject: String) -> S3ClientError {
        if let known = error as? S3ClientError { return known }
        if error is CancellationError { return S3ClientError(.cancelled, "cancelled", cause: error) }
        if error is NIOTooManyBytesError {
            return S3ClientError(
                .malformedAnswer, "the answer of \(endpoint.text) for \(subject) is too long", cause: error)
        }
        if let http = error as? HTTPClientError {
            if http == .cancelled { return S3ClientError(.cancelled, "cancelled", cause: error) }
            let reason = http.shortDescription
            return S3ClientError(
                .unreachable, "no answer from \(endpoint.text) for \(subject): \(reason)", cause: error)
        }
        return S3ClientError(
            .unreachable, "cannot reach the object store at \(endpoint.text): \(error.transferReason)", cause: error)
    }
}
