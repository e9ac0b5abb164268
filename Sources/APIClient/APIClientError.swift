/// Why a request to a cluster's API did not succeed.
package struct APIClientError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The endpoint is no URL, or an argument cannot be sent.
        case invalidRequest
        /// No answer: no connection, a broken one, or silence for too long.
        case unreachable
        /// The credentials are missing or wrong (401).
        case unauthorised
        /// The credentials do not allow it (403).
        case forbidden
        /// No such thing (404).
        case notFound
        /// It exists already, or is in use (409).
        case conflict
        /// The cluster does not accept what was sent (400, 413, 422 and the like).
        case invalid
        /// The cluster cannot do it now: busy, starting, or stopping (429, 502, 503, 504).
        case unavailable
        /// The cluster failed (other 5xx), or does not know the operation (501).
        case server
        /// A run's script failed; the message is what the cluster answered.
        case functionFailed
        /// The answer is not what the API promises.
        case malformedAnswer
        /// The calling task was cancelled.
        case cancelled
    }

    package let code: Code
    /// For people, with what to do about it.
    package let message: String
    /// The HTTP status, where there was an answer.
    package let status: Int?
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, status: Int? = nil, cause: (any Error)? = nil) {
        (self.code, self.message, self.status, self.cause) = (code, message, status, cause)
    }

    package var description: String { message }
}

extension APIClientError {
    /// The one table from HTTP statuses to codes.
    static func code(forStatus status: Int) -> Code {
        switch status {
        case 401: .unauthorised
        case 403: .forbidden
        case 404: .notFound
        case 409, 412: .conflict
        case 429, 502, 503, 504: .unavailable
        case 400..<500: .invalid
        case 300..<400: .malformedAnswer
        default: .server
        }
    }

    /// The error for an answer that says "no"; `words` is the answer's text.
    static func refusal(status: Int, words: String, endpoint: String, subject: String) -> APIClientError {
        let code = code(forStatus: status)
        let text =
            switch code {
            case .unauthorised:
                "\(endpoint) does not accept these credentials; check the user and password of the cluster"
            case .notFound where words.isEmpty: "\(subject) does not exist on \(endpoint)"
            case .unavailable where words.isEmpty:
                "\(endpoint) is not ready for \(subject) (status \(status)); try again in a moment"
            case .malformedAnswer:
                "\(endpoint) answers with a redirection (status \(status)); set the cluster's final address instead"
            default: words.isEmpty ? "\(endpoint) answered status \(status) for \(subject)" : words
            }
        return APIClientError(code, text, status: status)
    }
}
