package import AsyncHTTPClient
import Model
package import NIOCore
import NIOHTTP1

/// Asks identity providers, with bounds on time and size.
package struct ProviderExchange: Sendable {
    /// The largest document that is read.
    private static let documentLimit = 1 << 20

    /// What a provider answered.
    struct Answer: Sendable {
        let status: UInt
        let document: JSONValue?
    }

    private let httpClient: HTTPClient
    private let patience: TimeAmount

    /// - Parameters:
    ///   - httpClient: follows no redirects.
    ///   - patience: until the end of an answer.
    package init(httpClient: HTTPClient, patience: TimeAmount = .seconds(10)) {
        (self.httpClient, self.patience) = (httpClient, patience)
    }

    /// Asks for a document.
    ///
    /// - Throws: `LoginRefusal` with `unavailable` where no whole answer comes in time.
    func get(_ url: String, bearer: String? = nil) async throws(LoginRefusal) -> Answer {
        var request = HTTPClientRequest(url: url)
        request.headers.add(name: "accept", value: "application/json")
        if let bearer { request.headers.add(name: "authorization", value: "Bearer \(bearer)") }
        return try await send(request)
    }

    /// Posts a form.
    ///
    /// - Throws: as `get`.
    func post(_ url: String, form: [(name: String, value: String)]) async throws(LoginRefusal) -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        request.headers.add(name: "accept", value: "application/json")
        request.headers.add(name: "content-type", value: "application/x-www-form-urlencoded")
        let text = form.map { "\(QueryEncoding.escape($0.name))=\(QueryEncoding.escape($0.value))" }
        request.body = .bytes(ByteBuffer(string: text.joined(separator: "&")))
        return try await send(request)
    }

    private func send(_ request: HTTPClientRequest) async throws(LoginRefusal) -> Answer {
        guard IssuerURL.isSafe(request.url) else {
            throw LoginRefusal(
                .unavailable, "the identity provider names \(request.url), which is neither https nor on this machine")
        }
        var request = request
        request.headers.add(name: "user-agent", value: "apus")
        do {
            let deadline = NIODeadline.now() + patience
            let response = try await httpClient.execute(request, deadline: deadline)
            let body = try await collect(response.body, until: deadline)
            // What is not JSON is no document; the status may say enough.
            return Answer(status: response.status.code, document: try? JSONValue.parse(bytes: Array(buffer: body)))
        } catch {
            throw LoginRefusal(
                .unavailable, "the identity provider does not answer (\(request.url)): \(Self.words(error))",
                retryAfter: .seconds(5))
        }
    }

    /// The deadline of the client ends with the head of the answer.
    private func collect(_ body: HTTPClientResponse.Body, until deadline: NIODeadline) async throws -> ByteBuffer {
        try await withThrowingTaskGroup(of: ByteBuffer.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await body.collect(upTo: Self.documentLimit) }
            group.addTask {
                try await Task.sleep(for: .nanoseconds(max(0, (deadline - .now()).nanoseconds)))
                throw HTTPClientError.deadlineExceeded
            }
            guard let buffer = try await group.next() else { throw CancellationError() }
            return buffer
        }
    }

    private static func words(_ error: any Error) -> String {
        if error is NIOTooManyBytesError { return "its answer is longer than \(documentLimit >> 20) MiB" }
        if let known = error as? HTTPClientError { return known.shortDescription }
        return "\(error)"
    }
}
