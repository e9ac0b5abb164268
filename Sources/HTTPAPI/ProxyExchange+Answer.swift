import Cluster
import Model
import NIOCore
import NIOHTTP1
import S3Wire

/// What has come of an answer, and how it is written to the client.
struct ProxyAnswerState {
    /// How the client knows where the body ends (RFC 9112, section 6.3).
    enum Framing {
        /// By the length, or since there is no body.
        case plain
        case chunked
        /// By the connection's end, since it speaks HTTP/1.0.
        case untilClose
        /// What comes is not passed on: the answer has no body.
        case none
    }

    /// 0 until the head has come.
    var status = 0
    var framing = Framing.plain
    /// Answers that say only that another one will come.
    var informational = 0
    var isUpstreamReusable = false
    var keepsClient = false
    /// The head that says that another protocol follows.
    var switching: HTTPResponseHead?

    /// Whether anything of it was passed on.
    var hasBegun: Bool { status != 0 }
}

extension ProxyExchange {
    private static let mostInformational = 32

    func takeHead(_ response: HTTPResponseHead) throws(ProxyHeaders.Malformed) {
        switch response.status.code {
        case 101:
            guard upgrade != nil, isRequestComplete, ProxyHeaders.namesUpgrade(response.headers) else {
                throw ProxyHeaders.Malformed()
            }
            answer.switching = response
        case 100..<200: try takeInformational(response)
        case 200...599: try takeFinal(response)
        default: throw ProxyHeaders.Malformed()
        }
    }

    func takeEnd() throws(ProxyHeaders.Malformed) {
        if let switching = answer.switching { return try switchProtocols(switching) }
        guard answer.hasBegun else { return }
        if case .chunked = answer.framing { client.put(text: "0\r\n\r\n") }
        finish()
    }

    /// `103 Early Hints` for example; `100 Continue` was said by us already.
    private func takeInformational(_ response: HTTPResponseHead) throws(ProxyHeaders.Malformed) {
        answer.informational += 1
        guard answer.informational <= Self.mostInformational else { throw ProxyHeaders.Malformed() }
        guard response.status.code != 100, head.version == .http1_1 else { return }
        let headers = try ProxyHeaders.response(response, for: target)
        client.put(head: HTTPResponseHead(version: .http1_1, status: response.status, headers: headers))
    }

    private func takeFinal(_ response: HTTPResponseHead) throws(ProxyHeaders.Malformed) {
        var headers = try ProxyHeaders.response(response, for: target)
        answer.isUpstreamReusable = response.isKeepAlive && response.version == .http1_1
        answer.keepsClient = head.isKeepAlive && !client.isClosing && !head.headers.contains(name: "upgrade")
        frame(response, &headers)
        if !answer.keepsClient {
            headers.add(name: "connection", value: "close")
        } else if head.version != .http1_1 {
            headers.add(name: "connection", value: "keep-alive")
        }
        if !headers.contains(name: "date") { headers.add(name: "date", value: HTTPDate.text(surroundings.now())) }
        if target.route == .run { addOwn(to: &headers) }
        answer.status = Int(response.status.code)
        client.put(head: HTTPResponseHead(version: .http1_1, status: response.status, headers: headers))
    }

    /// Says anew how long the body is.
    private func frame(_ response: HTTPResponseHead, _ headers: inout HTTPHeaders) {
        let length = response.headers.first(name: "content-length")
        switch response.status.code {
        case _ where head.method == .HEAD, 304:
            answer.framing = .none
            if let length { headers.add(name: "content-length", value: length) }
        case 204: answer.framing = .none
        default:
            if let length {
                headers.add(name: "content-length", value: length)
                answer.framing = .plain
            } else if head.version == .http1_1 {
                headers.add(name: "transfer-encoding", value: "chunked")
                answer.framing = .chunked
            } else {
                answer.framing = .untilClose
                answer.keepsClient = false
            }
        }
    }

    /// What all answers of `/run` have.
    private func addOwn(to headers: inout HTTPHeaders) {
        headers.replaceOrAdd(name: "x-duration-seconds", value: "\(Double((.now() - start).nanoseconds) / 1e9)")
        guard head.headers.contains(name: "origin"), !headers.contains(name: "access-control-allow-origin") else {
            return
        }
        headers.add(name: "access-control-allow-origin", value: "*")
        headers.add(name: "access-control-expose-headers", value: "*")
    }

    // MARK: Another protocol

    private func switchProtocols(_ response: HTTPResponseHead) throws(ProxyHeaders.Malformed) {
        var headers = try ProxyHeaders.response(response, for: target)
        headers.add(name: "connection", value: "upgrade")
        headers.add(name: "upgrade", value: response.headers[canonicalForm: "upgrade"].joined(separator: ", "))
        answer.status = 101
        let (seat, upstream) = handOver()
        let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
        guard let upstream else { return client.breakOff(self) }
        client.relay(to: upstream, saying: head) { seat?.leave() }
    }
}
