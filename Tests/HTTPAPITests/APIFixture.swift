import Cluster
import ClusterTesting
import HTTPAPI
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Identity
import Logging
import Model
import NIOCore
import S3API
import S3Wire
import Telemetry
import Testing

/// The API of a cluster that runs, and a client.
struct APIFixture: Sendable {
    static let maximumEvent = ByteCount(200_000)

    let http: any TestClientProtocol
    let cluster: ClusterFixture

    /// Runs `body` against a server.
    static func run(
        _ options: ClusterFixture.Options = ClusterFixture.Options(),
        servers: FunctionServers = .none,
        exposed: ExposedDesk = .none,
        logins: @escaping @Sendable (ClusterFixture) async throws -> LoginFixture? = { _ in nil },
        _ body: @escaping @Sendable (APIFixture) async throws -> Void
    ) async throws {
        var options = options
        options.maximumEvent = maximumEvent
        let credentials = try Credentials(
            username: "oscar", password: "password", s3AccessKey: "access", s3SecretKey: "secret-key"
        )
        try await ClusterFixture.serve(options) { cluster in
            let catalog = cluster.catalog
            let logins = try await logins(cluster)
            let gateway = Gateway(
                description: .init(
                    version: "0.1", commit: "abc", architecture: "amd64", store: ClusterFixture.clusterStore,
                    s3AccessKey: credentials.s3AccessKey, s3SecretKey: credentials.s3SecretKey
                ),
                authenticator: LoginFixture.authenticator(logins, credentials, catalog),
                catalog: catalog, services: cluster.registry, jobs: cluster.jobs, runs: cluster.runs,
                buckets: cluster.buckets, images: cluster.images, deliveries: cluster.desk,
                allowedImages: cluster.allowedImages, status: cluster.status,
                triggers: TriggerDesks(
                    schedules: cluster.schedules, backfills: cluster.backfills, events: cluster.events),
                quotas: cluster.quotas, volumes: cluster.volumes,
                servers: servers, exposed: exposed, users: logins?.users,
                userKeys: { S3Credentials(accessKey: "key-of-\($0.id)", secretKey: "secret-of-\($0.id)") },
                metrics: PrometheusRegistry(),
                maximumEvent: maximumEvent,
                now: ClusterFixture.now
            )
            // As `apus serve` does.
            let application = Application(
                responder: gateway.router().buildResponder(),
                server: S3Server.http1(
                    behindDecoder: gateway.connectionHandlers(serverName: "Apus", logger: cluster.logger),
                    idleTimeout: nil),
                logger: cluster.logger)
            try await application.test(.ahc(.http)) { http in try await body(APIFixture(http: http, cluster: cluster)) }
        }
    }

    /// `user:NAME` is a token of that user, `user:NAME:GROUP,GROUP` of one who is in groups.
    static func user(ofToken token: String) -> User? {
        let parts = token.split(separator: ":").map(String.init)
        guard parts.count >= 2, parts[0] == "user", let id = try? UserID(parts[1]) else { return nil }
        let groups = parts.count > 2 ? parts[2].split(separator: ",").map(String.init) : []
        return User(id: id, name: parts[1].uppercased(), groups: groups, isOperator: parts[1] == "operator")
    }

    /// An `Authorization` of a user.
    static func bearer(_ user: String) -> String { "Bearer user:\(user)" }

    /// An `Authorization` of the administrator.
    static let administrator = "Basic " + Base64.encode(Array("oscar:password".utf8))

    /// Sends a request, as the administrator unless said otherwise.
    @discardableResult
    func send(
        _ method: HTTPRequest.Method,
        _ target: String,
        authorization: String? = administrator,
        headers: [String: String] = [:],
        body: [UInt8]? = nil
    ) async throws -> Answer {
        var fields = HTTPFields()
        if let authorization { fields[.authorization] = authorization }
        for (name, value) in headers { if let name = HTTPField.Name(name) { fields[name] = value } }
        let response = try await http.executeRequest(
            uri: target, method: method, headers: fields, body: body.map { ByteBuffer(bytes: $0) }
        )
        return Answer(status: response.status.code, headers: response.headers, body: Array(buffer: response.body))
    }

    @discardableResult
    func send(_ method: HTTPRequest.Method, _ target: String, json: JSONValue) async throws -> Answer {
        try await send(method, target, body: json.bytes())
    }

    /// The bearer's `Authorization` of a service.
    func token(_ service: String) throws -> String {
        "Bearer " + (try #require(cluster.catalog[try ServiceName(service)]).definition.token)
    }
}

/// What the server answered.
struct Answer: Sendable {
    let status: Int
    let headers: HTTPFields
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }

    func json() throws -> JSONValue { try JSONValue.parse(bytes: body) }

    /// Checks status and, where given, the whole text.
    @discardableResult
    func expect(_ status: Int, _ text: String? = nil, sourceLocation: SourceLocation = #_sourceLocation) -> Answer {
        #expect(self.status == status, "\(self.text)", sourceLocation: sourceLocation)
        if let text { #expect(self.text == text, sourceLocation: sourceLocation) }
        return self
    }

    /// Checks that the keys stand in that order.
    func expectKeys(_ keys: [String], at path: [String] = [], sourceLocation: SourceLocation = #_sourceLocation) throws
    {
        let value = try path.reduce(JSONValue?(json())) { $0?[$1] }
        #expect(value?.objectValue?.members.map(\.key) == keys, sourceLocation: sourceLocation)
    }
}
