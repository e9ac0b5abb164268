import Cluster
import ClusterTesting
import HummingbirdTesting
import LoopbackServer
import Model
import NIOCore
import Synchronization
import SystemPackage
import TestKit
import Testing

/// An API, a service that answers HTTP itself, and its program on a Unix socket.
struct ProxyFixture: Sendable {
    /// What happened to the places in the instance.
    final class Seats: Sendable {
        private struct State {
            var entered = 0
            var endings: [ServerSeat.Ending] = []
        }

        private let state = Mutex(State())

        var entered: Int { state.withLock { $0.entered } }
        var endings: [ServerSeat.Ending] { state.withLock { $0.endings } }

        func enter(_ socket: FilePath) -> ServerSeat {
            state.withLock { $0.entered += 1 }
            return ServerSeat(socket: socket) { ending in self.state.withLock { $0.endings.append(ending) } }
        }
    }

    let api: APIFixture
    let seats: Seats
    let socket: FilePath

    var port: Int? { api.http.port }
    /// The line of the administrator.
    static let authorization = "Authorization: \(APIFixture.administrator)\r\n"

    /// Runs `body` with the service `fn`, of the mode `server`, and `page`, which is exposed.
    ///
    /// - Parameter enter: how a place is got; at once where it is not said.
    static func run(
        expose: JSONObject = [:],
        enter: (@Sendable (Seats, FilePath) async throws -> ServerSeat)? = nil,
        logins: @escaping @Sendable (ClusterFixture) async throws -> LoginFixture? = { _ in nil },
        program: @Sendable @escaping (Wire) async throws -> Void,
        _ body: @Sendable @escaping (ProxyFixture) async throws -> Void
    ) async throws {
        try await TemporaryFolder.with { folder in
            let socket = folder.appending("program")
            try await Wire.serve(at: socket, program) {
                try await runWithoutProgram(expose: expose, socket: socket, enter: enter, logins: logins, body)
            }
        }
    }

    static func runWithoutProgram(
        expose: JSONObject = [:],
        socket: FilePath,
        enter: (@Sendable (Seats, FilePath) async throws -> ServerSeat)? = nil,
        logins: @escaping @Sendable (ClusterFixture) async throws -> LoginFixture? = { _ in nil },
        _ body: @Sendable @escaping (ProxyFixture) async throws -> Void
    ) async throws {
        let seats = Seats()
        let servers = FunctionServers(
            enter: { _ in try await enter?(seats, socket) ?? seats.enter(socket) },
            enterAtOnce: { _ in enter == nil ? seats.enter(socket) : nil })
        try await APIFixture.run(servers: servers, logins: logins) { api in
            try await api.cluster.create(
                "fn", script: "true", more: ["mode": .string("server"), "visibility": .string("public")])
            try await api.cluster.create("other", script: "true")
            var members: JSONObject = ["api_port": .array([.integer(80)])]
            for (key, value) in expose.members { members[key] = value }
            try await api.cluster.create("page", script: "true", more: ["expose": .object(members)])
            try await body(ProxyFixture(api: api, seats: seats, socket: socket))
        }
    }

    /// Sends text and reads until the server closes.
    func exchange(_ text: String) async throws -> String {
        try await Wire.connect(port: port) { wire in
            try await wire.send(text)
            return try await wire.rest()
        }
    }

    /// A request with the administrator's credentials, whose connection ends with the answer.
    static func request(_ method: String, _ target: String, _ headers: [String] = [], body: String = "") -> String {
        let lines = headers.map { "\($0)\r\n" }.joined()
        let length = body.isEmpty ? "" : "Content-Length: \(body.utf8.count)\r\n"
        return "\(method) \(target) HTTP/1.1\r\nHost: apus.example\r\n\(authorization)\(lines)\(length)"
            + "Connection: close\r\n\r\n\(body)"
    }

    /// A program that answers each request with its head, and its body where it has a length.
    @Sendable static func mirror(_ wire: Wire) async throws {
        while true {
            let head = try await wire.head()
            guard !head.isEmpty else { return }
            var body = ""
            if let length = head.firstMatch(of: /(?i)content-length: (\d+)/).flatMap({ Int($0.1) }) {
                body = String(decoding: try await wire.bytes(length), as: UTF8.self)
            } else if head.lowercased().contains("transfer-encoding: chunked") {
                body = try await wire.read(through: "0\r\n\r\n")
            }
            let text = head + body
            try await wire.send(
                "HTTP/1.1 200 OK\r\nContent-Length: \(text.utf8.count)\r\nX-Own: 1\r\n\r\n\(text)")
        }
    }
}
