import DurableSQLite
import HTTPTypes
import Hummingbird
import HummingbirdTesting
import Logging
import Model
import NIOCore
import ObjectEngine
import S3API
import S3Wire
import SystemPackage
import Testing
import _NIOFileSystem

/// A server over a store of its own, and a client that signs.
struct S3Fixture: Sendable {
    static let time = Instant(seconds: 1_700_000_000)
    static let credentials = S3Credentials(accessKey: "access", secretKey: "secret")

    /// In the header `Server` of answers from memory; the others have none.
    static let nameInHotAnswers = "hot"

    let http: any TestClientProtocol
    let store: ObjectStore

    /// Runs `body` against a server with the bucket `bucket`.
    ///
    /// - Parameter storageRefusal: why the server takes no content.
    static func run(
        storageRefusal: @escaping @Sendable () -> String? = { nil },
        _ body: @escaping @Sendable (S3Fixture) async throws -> Void
    ) async throws {
        try await FileSystem.shared.withTemporaryDirectory { _, path in
            let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            let store = try await ObjectStore.open(
                at: path, durability: .never, logger: logger, now: { time })
            let responder = S3Responder(
                store: store,
                domains: ["localhost", "s3.localhost"],
                secret: secret,
                notificationRefusal: { rule, _, _ in rule.targetName == "audit" ? nil : "nobody" },
                storageRefusal: storageRefusal,
                now: { time }
            )
            let server = S3Server.http1(hot: (responder, Self.nameInHotAnswers))
            let application = Application(responder: responder, server: server, logger: logger)
            try await application.test(.live) { http in
                let fixture = S3Fixture(http: http, store: store)
                try await fixture.send("PUT", "/bucket").expect(200)
                try await body(fixture)
            }
            await store.close()
        }
    }

    private static func secret(_ accessKey: String) -> (secret: String, principal: Principal)? {
        switch accessKey {
        case "access": ("secret", .administrator(name: "somebody"))
        case "nobody": ("secret", .anonymous)
        case "alice", "bob", "carol":
            ("secret", (try? UserID(accessKey)).map { .user(User(id: $0)) } ?? .anonymous)
        case "cows": ("secret", (try? ServiceName("cows")).map(Principal.service) ?? .anonymous)
        default: nil
        }
    }

    /// Sends a signed request.
    ///
    /// - Parameters:
    ///   - path: percent-encoded.
    ///   - query: not encoded.
    ///   - body: as it goes over the wire.
    @discardableResult
    func send(
        _ method: String,
        _ path: String,
        _ query: KeyValuePairs<String, String> = [:],
        headers: [String: String] = [:],
        body: [UInt8] = [],
        payload: PayloadHash? = nil,
        credentials: S3Credentials = credentials
    ) async throws -> Answer {
        let request = SignableRequest(
            method: method, host: "localhost", path: path, query: QueryItems(query.map { .init($0.key, $0.value) }),
            headers: headers.map { ($0.key, $0.value) }
        )
        let signature = RequestSigner(credentials: credentials)
            .sign(request, payload: payload ?? .of(body), at: Self.time)
        return try await sendUnsigned(
            method, query.isEmpty ? path : "\(path)?\(request.query.canonicalText)",
            headers: request.headers + signature.headers, body: body
        )
    }

    /// Sends a request as it is.
    func sendUnsigned(
        _ method: String,
        _ target: String,
        headers: [(name: String, value: String)] = [],
        body: [UInt8] = []
    ) async throws -> Answer {
        var fields = HTTPFields()
        for (name, value) in headers {
            if let name = HTTPField.Name(name) { fields.append(HTTPField(name: name, value: value)) }
        }
        let isWrite = method == "PUT" || method == "POST"
        if isWrite { fields[.contentLength] = String(body.count) }
        let response = try await http.executeRequest(
            uri: target, method: try #require(HTTPRequest.Method(method)), headers: fields,
            body: isWrite ? ByteBuffer(bytes: body) : nil
        )
        return Answer(
            status: response.status.code, headers: response.headers, body: Array(response.body.readableBytesView)
        )
    }

    /// The keys of somebody.
    static func keys(of user: String) -> S3Credentials { S3Credentials(accessKey: user, secretKey: "secret") }

    /// A query that lets anyone do that for a minute.
    func presigned(
        _ method: String,
        _ path: String,
        _ query: KeyValuePairs<String, String> = [:],
        credentials: S3Credentials = credentials
    ) -> String {
        let request = SignableRequest(
            method: method, host: "localhost", path: path, query: QueryItems(query.map { .init($0.key, $0.value) })
        )
        let signed = RequestSigner(credentials: credentials).presign(request, expiry: 60, at: Self.time)
        return "\(path)?\(signed)"
    }

    /// The keys of the bucket `bucket`, as the store has them.
    func objects() async throws -> [String] {
        try await store.list(bucket: try BucketName("bucket")).objects.map(\.key.text)
    }
}

/// What the server answered.
struct Answer: Sendable {
    let status: Int
    let headers: HTTPFields
    let body: [UInt8]

    var text: String { String(decoding: body, as: UTF8.self) }

    func header(_ name: String) -> String? { HTTPField.Name(name).flatMap { headers[$0] } }

    func xml() throws -> XMLElement { try XMLElement.parse(body) }

    /// The text of the element at that place below the root.
    func text(_ path: String...) throws -> String? {
        try path.reduce(XMLElement?(xml())) { $0?[$1] }?.text
    }

    @discardableResult
    func expect(_ status: Int, _ code: S3ErrorCode? = nil, sourceLocation: SourceLocation = #_sourceLocation) throws
        -> Answer
    {
        #expect(self.status == status, "\(text)", sourceLocation: sourceLocation)
        if let code { #expect(try text("Code") == code.rawValue, sourceLocation: sourceLocation) }
        #expect(header("x-amz-request-id")?.utf8.count == 16, sourceLocation: sourceLocation)
        return self
    }
}

/// Bytes that are easy to tell apart.
func pattern(_ count: Int, seed: Int = 1) -> [UInt8] {
    var value = UInt32(truncatingIfNeeded: seed)
    return (0..<count).map { _ in
        value = value &* 1_664_525 &+ 1_013_904_223
        return UInt8(value >> 24)
    }
}
