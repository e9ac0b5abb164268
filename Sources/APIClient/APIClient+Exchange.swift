import AsyncHTTPClient
import FoundationEssentials
import Model
import NIOCore
import NIOHTTP1

/// One request to the API, before it has headers of its own.
struct APIRequest: Sendable {
    var method: HTTPMethod
    /// Parts of the path, nothing encoded yet.
    var path: [String]
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body: HTTPClientRequest.Body?
    /// Until the head of the answer; `nil` means the client's usual.
    var patience: TimeAmount?
    /// What the request is about, for messages.
    var subject: String

    init(_ method: HTTPMethod, _ path: String..., subject: String) {
        (self.method, self.path, self.subject) = (method, path, subject)
    }
}

extension APIClient {
    /// The longest document that is read into memory.
    static let documentLimit = 64 << 20

    /// Sends a request and hands the successful answer to `read`; an answer of 300 and above is thrown.
    ///
    /// - Throws: every code of `APIClientError` but `functionFailed`.
    func exchange<Result>(
        _ request: APIRequest,
        _ read: (HTTPClientResponse) async throws -> Result
    ) async throws(APIClientError) -> Result {
        do {
            let deadline = NIODeadline.now() + (request.patience ?? patience.answer)
            let response = try await httpClient.execute(httpRequest(request), deadline: deadline)
            guard response.status.code < 300 else { throw await refusal(response, request) }
            return try await read(response)
        } catch {
            throw wrapping(error)
        }
    }

    /// Sends a request whose answer has no content that matters.
    func send(_ request: APIRequest) async throws(APIClientError) {
        try await exchange(request) { response in
            // Read to the end, so that the connection can serve the next request.
            _ = try await response.body.collect(upTo: Self.documentLimit)
        }
    }

    /// Sends a request and parses the JSON of the answer.
    func document(_ request: APIRequest) async throws(APIClientError) -> JSONValue {
        let bytes = try await exchange(request) { response in
            Array(buffer: try await response.body.collect(upTo: Self.documentLimit))
        }
        do {
            return try JSONValue.parse(bytes: bytes)
        } catch {
            throw APIClientError(
                .malformedAnswer, "the answer of \(endpoint) for \(request.subject) is not JSON: \(error)",
                cause: error)
        }
    }

    private func httpRequest(_ request: APIRequest) -> HTTPClientRequest {
        var url = endpoint
        for part in request.path { url += "/" + Self.percentEncoded(part) }
        for (index, pair) in request.query.enumerated() {
            url += (index == 0 ? "?" : "&") + Self.percentEncoded(pair.name) + "=" + Self.percentEncoded(pair.value)
        }
        var prepared = HTTPClientRequest(url: url)
        prepared.method = request.method
        prepared.tlsConfiguration = tls
        prepared.body = request.body
        prepared.headers.add(name: "user-agent", value: "apus")
        switch credentials {
        case .none: break
        case .basic(let user, let password):
            let pair = Data("\(user):\(password)".utf8).base64EncodedString()
            prepared.headers.add(name: "authorization", value: "Basic \(pair)")
        case .bearer(let token): prepared.headers.add(name: "authorization", value: "Bearer \(token)")
        }
        for (name, value) in request.headers { prepared.headers.replaceOrAdd(name: name, value: value) }
        return prepared
    }

    /// Encodes everything but the unreserved characters of RFC 3986 section 2.3, and a part of only dots wholly, so
    /// that nobody on the way takes it for a step in the path.
    static func percentEncoded(_ text: String) -> String {
        let hexDigits = Array("0123456789ABCDEF".utf8)
        let isDots = text == "." || text == ".."
        var out: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: ".") where !isDots: out.append(byte)
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "~"):
                out.append(byte)
            default: out += [UInt8(ascii: "%"), hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 0xF)]]
            }
        }
        return String(decoding: out, as: UTF8.self)
    }

    private func refusal(_ response: HTTPClientResponse, _ request: APIRequest) async -> APIClientError {
        // An unreadable body loses only the words; the status still says what happened.
        let body = try? await response.body.collect(upTo: 1 << 20)
        let text = body.map { String(buffer: $0) } ?? ""
        return APIClientError.refusal(
            status: Int(response.status.code), words: Self.words(text), endpoint: endpoint, subject: request.subject)
    }

    /// The text of an error answer: plain, or the `error` of a JSON object as `/system/status` and `/system/metrics`
    /// send.
    private static func words(_ text: String) -> String {
        let trimmed = text.drop { $0.isWhitespace }
        // A text that only looks like JSON is shown as it is.
        if trimmed.hasPrefix("{"), let error = (try? JSONValue.parse(text))?["error"]?.stringValue { return error }
        return String(trimmed.reversed().drop { $0.isWhitespace }.reversed())
    }

    private func wrapping(_ error: any Error) -> APIClientError {
        if let known = error as? APIClientError { return known }
        if error is CancellationError { return APIClientError(.cancelled, "cancelled", cause: error) }
        if error is NIOTooManyBytesError {
            return APIClientError(.malformedAnswer, "the answer of \(endpoint) is too long", cause: error)
        }
        if let http = error as? HTTPClientError {
            if http == .cancelled { return APIClientError(.cancelled, "cancelled", cause: error) }
            return APIClientError(
                .unreachable, "no answer from \(endpoint): \(http.shortDescription)", cause: error)
        }
        return APIClientError(
            .unreachable, "cannot reach the cluster at \(endpoint): \(error). Is it running?", cause: error)
    }
}
