import HTTPTypes
import Model
import NIOHTTP1

/// Where a request goes that a function's own server answers, and what of it.
struct ProxyTarget: Sendable {
    /// How the service was asked for.
    enum Route: String, Sendable, Hashable {
        case run = "/run/{service}"
        case exposed = "/system/services/{service}/exposed"
    }

    let service: ServiceName
    let route: Route
    /// What the program sees: path and query as sent, the prefix gone.
    let uri: String
    /// What was taken away from the path; empty where nothing was.
    let prefix: String
    /// Whether `Authorization` was for Apus, so that the program does not see it.
    let hidesAuthorization: Bool
    /// Set with the answer, so that a browser needs no token in the next request.
    let cookie: String?
    /// How the client reached Apus: `http` or `https`.
    var scheme = "http"
}

/// What becomes of a request.
enum ProxyDecision: Sendable {
    /// It is not for a function's own server.
    case passOn
    /// It ends here.
    case answer(ProxyAnswer)
    case forward(ProxyTarget)
    /// Whose token this is must be found out first.
    case verify(token: String)
}

/// A small answer of the proxy's own.
struct ProxyAnswer: Sendable {
    let status: HTTPResponseStatus
    let text: String
    var headers: [(name: String, value: String)] = []

    init(_ status: HTTPResponseStatus, _ text: String = "", headers: [(name: String, value: String)] = []) {
        self.status = status
        self.text = text
        self.headers = headers
    }

    /// What an error of a use case becomes.
    init(_ error: TextError) {
        status = HTTPResponseStatus(statusCode: error.status.code)
        text = error.text
        headers = error.headers.map { ($0.name.canonicalName, $0.value) }
    }
}
