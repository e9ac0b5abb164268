import Cluster
import ClusterTesting
import HTTPTypes
import LoopbackServer
import Model
import Synchronization
import TestKit
import Testing

@Suite("Exposed services", .timeLimit(.minutes(2)))
struct ExposedRoutesTests {
    typealias Fixture = ProxyFixture

    private static let base = "/system/services/page/exposed"

    // MARK: The way to the program

    @Test("anybody reaches a service without set_auth, with the prefix taken away and its own Authorization")
    func open() async throws {
        try await Fixture.run(program: Fixture.mirror) { proxy in
            let text = try await proxy.api.send(
                .delete, "\(Self.base)/a/b%2Fc?d=e", authorization: "Bearer its-own",
                headers: ["X-Forwarded-Prefix": "/front"]
            ).expect(200).text
            #expect(text.hasPrefix("DELETE /a/b%2Fc?d=e HTTP/1.1\r\n"))
            let lines = text.lowercased().split(separator: "\r\n")
            #expect(lines.contains("x-forwarded-prefix: /front\(Self.base)"))
            #expect(lines.contains("authorization: bearer its-own"))
            // How long it took is told of runs.
            let answer = try await proxy.api.send(.get, "\(Self.base)/", authorization: nil).expect(200)
            #expect(answer.header("x-duration-seconds") == nil && answer.header("access-control-allow-origin") == nil)
            // An exposed service is a server, so it can be run, too.
            #expect(try await proxy.api.send(.post, "/run/page/x").expect(200).text.hasPrefix("POST /x HTTP/1.1"))
        }
    }

    @Test("with rewrite_target the program sees the public path")
    func rewritten() async throws {
        try await Fixture.run(expose: ["rewrite_target": .bool(true)], program: Fixture.mirror) { proxy in
            let text = try await proxy.api.send(.get, "\(Self.base)/x?y", authorization: nil).expect(200).text
            #expect(text.hasPrefix("GET \(Self.base)/x?y HTTP/1.1\r\n"))
            #expect(!text.lowercased().contains("x-forwarded-prefix"))
        }
    }

    @Test("a browser is sent to the path with the slash, and nowhere else")
    func redirect() async throws {
        try await Fixture.run(program: Fixture.mirror) { proxy in
            func answer(_ method: String, _ target: String) async throws -> String {
                let text = try await proxy.exchange(Fixture.request(method, target))
                let location = text.firstMatch(of: /(?i)location: (.*)/).map { String($0.1) } ?? ""
                return "\(text.prefix { $0 != "\r\n" }) to \(location)"
            }
            let moved = "HTTP/1.1 301 Moved Permanently to \(Self.base)/"
            let plain = try await answer("GET", Self.base)
            #expect(plain == moved)
            let query = try await answer("GET", "\(Self.base)?next=//evil.example")
            #expect(query == "\(moved)?next=//evil.example")
            let posted = try await answer("POST", Self.base)
            #expect(posted == "HTTP/1.1 308 Permanent Redirect to \(Self.base)/")
            let absolute = try await answer("GET", "http://evil.example\(Self.base)")
            #expect(absolute == moved)
        }
    }

    @Test(
        "what is no exposed service is none",
        arguments: [
            "/system/services/fn/exposed/", "/system/services/none/exposed/", "/system/services/page/exposedx",
            "/system/services/page/exposed%2F", "/system/services/pa%67e/exposed/", "/system/services//exposed/",
            "/system/services/page/x/../exposed/",
        ])
    func absent(target: String) async throws {
        try await Fixture.run(program: Fixture.mirror) { proxy in
            let text = try await proxy.exchange(Fixture.request("GET", target))
            #expect(text.hasPrefix("HTTP/1.1 404 "), "\(text)")
            #expect(proxy.seats.entered == 0)
        }
    }

    // MARK: set_auth

    private static func basic(_ user: String, _ password: String) -> String {
        "Basic " + Base64.encode(Array("\(user):\(password)".utf8))
    }

    @Test("set_auth asks for the service's name and token, and keeps them from the program")
    func basicAuthorization() async throws {
        try await Fixture.run(expose: ["set_auth": .bool(true)], program: Fixture.mirror) { proxy in
            let token = try proxy.api.token("page").dropFirst(7)
            let wrong = [
                nil, Self.basic("page", "x"), Self.basic("other", String(token)), "Bearer \(token)",
                APIFixture.administrator, "Basic", "Basic !", Self.basic("page", ""),
                Self.basic("page", try String(proxy.api.token("other").dropFirst(7))),
            ]
            for authorization in wrong {
                let answer = try await proxy.api.send(
                    .get, "\(Self.base)/?token=\(token)", authorization: authorization)
                answer.expect(401, "")
                #expect(answer.header("www-authenticate") == "Basic realm=\"page\"", "\(authorization ?? "")")
            }
            #expect(proxy.seats.entered == 0)
            let answer = try await proxy.api.send(
                .get, "\(Self.base)/", authorization: Self.basic("page", String(token))
            ).expect(200)
            #expect(!answer.text.contains(token) && !answer.text.lowercased().contains("authorization"))
            #expect(answer.header("set-cookie") == nil)
        }
    }

    @Test("with auth_type forward the token comes by header, query or cookie, and a cookie goes back")
    func forwardAuthorization() async throws {
        let expose: JSONObject = ["set_auth": .bool(true), "auth_type": .string("forward")]
        try await Fixture.run(expose: expose, program: Fixture.mirror) { proxy in
            let token = String(try proxy.api.token("page").dropFirst(7))
            let cookie = "oscar_service_page_auth=\(token)"
            let wanted = "\(cookie); Path=\(Self.base); HttpOnly; SameSite=Lax"
            func send(_ target: String, _ authorization: String? = nil, _ headers: [String: String] = [:]) async throws
                -> Answer
            { try await proxy.api.send(.get, "\(Self.base)\(target)", authorization: authorization, headers: headers) }

            let byQuery = try await send("/?a=b&token=\(token)").expect(200)
            #expect(byQuery.header("set-cookie") == wanted)
            let byBearer = try await send("/", "Bearer \(token)", ["X-Forwarded-Proto": "https"]).expect(200)
            #expect(byBearer.header("set-cookie") == "\(wanted); Secure")
            #expect(!byBearer.text.contains(token))
            let byCookie = try await send("/", nil, ["Cookie": "a=b; \(cookie); c=d"]).expect(200)
            #expect(byCookie.header("set-cookie") == nil)
            try await send("/", APIFixture.administrator).expect(200)
            try await send("/?token=x").expect(401, "")
            try await send("/", "Bearer \(String(repeating: "0", count: 64))").expect(401, "")
            for headers in [["Cookie": "oscar_service_page_auth=x"], ["Cookie": "x\(cookie)"], [:]] {
                let answer = try await send("/", nil, headers).expect(401, "")
                #expect(answer.header("www-authenticate") == "Basic realm=\"Authorization Required\"")
            }
        }
    }

    @Test("GET …/auth tells a proxy who may reach the service")
    func authorize() async throws {
        try await Fixture.run(expose: ["set_auth": .bool(true)], program: Fixture.mirror) { proxy in
            let token = String(try proxy.api.token("page").dropFirst(7))
            let path = "/system/services/page/auth"
            func send(_ target: String, _ authorization: String? = nil, _ headers: [String: String] = [:]) async throws
                -> Answer
            { try await proxy.api.send(.get, target, authorization: authorization, headers: headers) }

            let cookie = "oscar_service_page_auth=\(token)"
            let wanted = "\(cookie); Path=\(Self.base); HttpOnly; SameSite=Lax"
            #expect(try await send(path, "Bearer \(token)").expect(200, "").header("set-cookie") == wanted)
            #expect(try await send("\(path)?token=\(token)").expect(200).header("set-cookie") == wanted)
            let forwarded = ["X-Forwarded-Uri": "\(Self.base)/?token=\(token)", "X-Forwarded-Proto": "https"]
            #expect(try await send(path, nil, forwarded).expect(200).header("set-cookie") == "\(wanted); Secure")
            try await send(path, nil, ["Cookie": cookie]).expect(200, "")
            #expect(try await send(path, APIFixture.administrator).expect(200, "").header("set-cookie") == nil)
            try await send(path).expect(401, "")
            try await send(path, nil, ["Cookie": "oscar_service_page_auth=no"]).expect(401, "")
            try await send("\(path)?token=no", APIFixture.administrator).expect(401, "")
            try await send(path, proxy.api.token("other")).expect(401, "")
            try await send(path, nil, ["X-Forwarded-Uri": "/?token=no"]).expect(401, "")
            try await send("/system/services/none/auth", APIFixture.administrator).expect(404, "")
            try await send("/system/services/none/auth", "Bearer \(token)").expect(401, "")
            try await send("/system/services/none/auth").expect(401, "")
        }
    }

    // MARK: Deployment

    /// Instances as a test sets them.
    private final class Desk: Sendable {
        let instances = Mutex(ExposedDesk.Instances(desired: 1, active: 1, ready: 1))
        let lines = Mutex<[ExposedDesk.LogLine]?>([])
        let calls = Mutex<[String]>([])

        var desk: ExposedDesk {
            ExposedDesk(
                instances: { name in name.text == "plain" ? nil : self.instances.withLock { $0 } },
                stop: { _ in
                    self.calls.withLock { $0.append("stop") }
                    self.instances.withLock { $0.desired = 0 }
                },
                start: { _ in
                    self.calls.withLock { $0.append("start") }
                    self.instances.withLock { $0.desired = 2 }
                },
                restart: { _ in self.calls.withLock { $0.append("restart") } },
                log: { _, limit in self.lines.withLock { $0?.suffix(limit) } })
        }
    }

    private static func run(
        _ desk: Desk,
        _ body: @Sendable @escaping (APIFixture) async throws -> Void
    ) async throws {
        try await APIFixture.run(exposed: desk.desk) { api in
            try await api.cluster.create("plain", script: "true")
            try await api.cluster.create("page", script: "true", more: ["expose": .object(["api_port": .integer(80)])])
            try await body(api)
        }
    }

    @Test("the state follows from the instances, in OSCAR's words and order")
    func deployment() async throws {
        let desk = Desk()
        try await Self.run(desk) { api in
            func text(_ instances: ExposedDesk.Instances) async throws -> String {
                desk.instances.withLock { $0 = instances }
                return try await api.send(.get, "/system/services/page/deployment").expect(200).text
            }
            let since = Instant(seconds: 1_700_000_000)
            #expect(
                try await text(.init(desired: 2, active: 2, ready: 2, since: since))
                    == #"{"service_name":"page","state":"ready","reason":"Deployment is ready.","#
                    + #""last_transition_time":"2023-11-14T22:13:20Z","active_instances":2,"affected_instances":0,"#
                    + #""resource_kind":"exposed_service"}"#)
            #expect(
                try await text(.init(desired: 3, active: 3, ready: 1)).hasPrefix(
                    #"{"service_name":"page","state":"degraded","reason":"2 of 3 instances are affected.","active_"#))
            #expect(
                try await text(.init(desired: 1, active: 1, ready: 0, isFailing: true, reason: "it ended with 1"))
                    .contains(#""state":"failed","reason":"it ended with 1","#))
            #expect(try await text(.init(desired: 1, active: 0, ready: 0)).contains(#""state":"pending","#))
            #expect(
                try await text(.init(desired: 0, active: 1, ready: 0)).contains(
                    #""state":"stopped","reason":"Deployment is stopped.","#))
            try await api.send(.get, "/system/services/plain/deployment").expect(
                200,
                #"{"service_name":"plain","state":"unavailable","reason":"Current deployment visibility is unavailable "#
                    + #"for this service runtime.","active_instances":0,"affected_instances":0,"#
                    + #""resource_kind":"unavailable"}"#)
            try await api.send(.get, "/system/services/none/deployment").expect(404, "")
            try await api.send(.get, "/system/services/page/deployment", authorization: api.token("page")).expect(401)
            let list = try await api.send(.get, "/system/services?include=x,deployment").expect(200).json()
            #expect(
                list[0]?["name"]?.stringValue == "page" && list[0]?["deployment"]?["state"]?.stringValue == "stopped")
            let one = try await api.send(.get, "/system/services/page?include=deployment").expect(200)
            try one.expectKeys(
                ["state", "reason", "active_instances", "affected_instances", "resource_kind"], at: ["deployment"])
            #expect(try await api.send(.get, "/system/services/page").json()["deployment"] == nil)
        }
    }

    @Test("exposed services are stopped, started and restarted; others are not")
    func lifecycle() async throws {
        let desk = Desk()
        try await Self.run(desk) { api in
            #expect(
                try await api.send(.post, "/system/services/page/stop").expect(200).json()["state"]?.stringValue
                    == "stopped")
            #expect(
                try await api.send(.post, "/system/services/page/start").expect(200).json()["state"]?.stringValue
                    == "degraded")
            try await api.send(.post, "/system/services/page/restart").expect(200).expectKeys([
                "service_name", "state", "reason", "active_instances", "affected_instances", "resource_kind",
            ])
            #expect(desk.calls.withLock { $0 } == ["stop", "start", "restart"])
            for action in ["stop", "start", "restart"] {
                try await api.send(.post, "/system/services/plain/\(action)").expect(
                    400, "service \"plain\" is not exposed")
                try await api.send(.post, "/system/services/none/\(action)").expect(404, "")
                try await api.send(.post, "/system/services/page/\(action)", authorization: api.token("page")).expect(
                    401)
            }
            #expect(desk.calls.withLock { $0.count } == 3)
        }
    }

    @Test("the last lines of the instances, with or without their times")
    func logs() async throws {
        let desk = Desk()
        try await Self.run(desk) { api in
            let path = "/system/services/page/deployment/logs"
            try await api.send(.get, path).expect(
                200,
                #"{"service_name":"page","available":false,"message":"Deployment logs are not yet available.","entries":[]}"#
            )
            desk.lines.withLock { $0 = nil }
            try await api.send(.get, path).expect(
                200,
                #"{"service_name":"page","available":false,"#
                    + #""message":"Deployment logs are unavailable for this service.","entries":[]}"#)
            desk.lines.withLock {
                $0 = (0..<1500).map { .init(time: Instant(seconds: 1_700_000_000 + $0), text: "line <\($0)>") }
            }
            try await api.send(.get, "\(path)?tailLines=1&timestamps=true").expect(
                200,
                #"{"service_name":"page","available":true,"entries":"#
                    + #"[{"timestamp":"2023-11-14T22:38:19Z","message":"line \u003c1499\u003e"}]}"#)
            for (asked, count) in [("5", 5), ("0", 1), ("-3", 1), ("5000", 1000), ("x", 200), ("", 200)] {
                let entries = try await api.send(.get, "\(path)?tailLines=\(asked)").expect(200).json()["entries"]
                #expect(entries?.arrayValue?.count == count, "\(asked)")
                #expect(entries?[0]?["timestamp"] == nil)
            }
        }
    }
}
