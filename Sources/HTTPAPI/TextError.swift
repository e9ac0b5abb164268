import Cluster
import HTTPTypes
import Hummingbird
import Model
import NIOCore

/// An answer that says what went wrong, in plain text as OSCAR's clients show it.
struct TextError: Error {
    let status: HTTPResponse.Status
    let text: String
    var headers: HTTPFields = [:]

    init(_ status: HTTPResponse.Status, _ text: String, headers: HTTPFields = [:]) {
        self.status = status
        self.text = text
        self.headers = headers
    }

    /// What an error of a use case becomes.
    init(_ error: ClusterError) {
        self.init(Self.status(of: error.code), error.message)
        if let pause = error.retryAfter {
            headers[.retryAfter] = "\(min(60, max(1, pause.components.seconds)))"
        } else if error.code == .busy || error.code == .stopping {
            headers[.retryAfter] = "1"
        }
    }

    private static func status(of code: ClusterError.Code) -> HTTPResponse.Status {
        switch code {
        case .invalid, .alreadyExists: .badRequest
        case .notFound: .notFound
        case .conflict: .conflict
        case .mismatch: .unprocessableContent
        case .forbidden: .forbidden
        case .tooLarge: .contentTooLarge
        case .busy: .tooManyRequests
        case .stopping, .unavailable: .serviceUnavailable
        case .dataDirectory, .failed: .internalServerError
        }
    }

    var response: Response { Response.text(text, status: status, headers: headers) }
}

extension Response {
    static func text(
        _ text: String,
        status: HTTPResponse.Status = .ok,
        headers: HTTPFields = [:]
    ) -> Response {
        var headers = headers
        guard !text.isEmpty else { return Response(status: status, headers: headers) }
        headers[.contentType] = "text/plain; charset=utf-8"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    /// Compact JSON, escaped as Go does.
    static func json(_ value: JSONValue, status: HTTPResponse.Status = .ok) -> Response {
        Response(
            status: status,
            headers: [.contentType: "application/json; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: value.bytes(escaping: .html)))
        )
    }

    static func empty(_ status: HTTPResponse.Status, headers: HTTPFields = [:]) -> Response {
        Response(status: status, headers: headers)
    }
}
