import Cluster
import ClusterTesting
import HTTPTypes
import Model
import StateStore
import TestKit
import Testing

/// Services, jobs and buckets of many users, through every route.
@Suite("Many users") struct TenancyTests {
    typealias API = APIFixture

    private static func define(_ name: String, _ more: JSONObject = [:], input: [String] = [], output: [String] = [])
        -> [UInt8]
    {
        ClusterFixture.definition(name, script: "cat \"$INPUT_FILE_PATH\"", input: input, output: output, more: more)
            .bytes()
    }

    @discardableResult
    private static func create(
        _ api: API,
        _ user: String,
        _ name: String,
        _ more: JSONObject = [:],
        input: [String] = [],
        output: [String] = []
    ) async throws -> Answer {
        try await api.send(
            .post, "/system/services", authorization: API.bearer(user),
            body: define(name, more, input: input, output: output))
    }

    private static func names(_ answer: Answer, _ key: String = "name") throws -> [String] {
        try answer.json().arrayValue?.compactMap { $0[key]?.stringValue } ?? []
    }

    // MARK: Every route

    /// Who gets what from a route: alice, whose service `hers` is private, bob, the administrator, nobody, and the
    /// service by its token.
    struct Route: Sendable, CustomTestStringConvertible {
        let method: HTTPRequest.Method
        let path: String
        var body: String = ""
        let owner: Int
        let other: Int
        let administrator: Int

        var testDescription: String { "\(method) \(path)" }

        init(
            _ method: HTTPRequest.Method, _ path: String, _ owner: Int, _ other: Int, _ administrator: Int,
            _ body: String = ""
        ) {
            (self.method, self.path, self.body) = (method, path, body)
            (self.owner, self.other, self.administrator) = (owner, other, administrator)
        }
    }

    /// In an order in which each leaves what the next ones need; what changes something is done by the one who may not first.
    static let routes: [Route] = [
        Route(.get, "/system/info", 200, 200, 200),
        Route(.get, "/system/config", 200, 200, 200),
        Route(.put, "/system/config", 401, 401, 200, #"{"allowed_image_repositories":[]}"#),
        Route(.get, "/system/status", 200, 200, 200),
        Route(.get, "/system/services", 200, 200, 200),
        Route(.get, "/system/services/hers", 200, 403, 200),
        Route(.get, "/system/services/none", 404, 404, 404),
        Route(.get, "/system/services/hers/deployment", 200, 403, 200),
        Route(.get, "/system/services/hers/deployment/logs", 200, 403, 200),
        Route(.post, "/system/services/hers/start", 400, 403, 400),
        Route(.post, "/system/services/hers/stop", 400, 403, 400),
        Route(.post, "/system/services/hers/restart", 400, 403, 400),
        Route(.get, "/system/services/hers/auth", 200, 403, 200),
        Route(.get, "/system/logs/hers", 200, 403, 200),
        Route(.delete, "/system/logs/hers", 204, 403, 204),
        Route(.get, "/system/logs/hers/none", 404, 403, 404),
        Route(.delete, "/system/logs/hers/none", 404, 403, 404),
        Route(.post, "/run/hers", 200, 404, 200, "aGk="),
        Route(.post, "/job/hers", 201, 404, 201, "x"),
        Route(.get, "/system/buckets", 200, 200, 200),
        Route(.get, "/system/buckets/alices", 200, 403, 200),
        Route(.post, "/system/buckets/alices/presign", 200, 403, 200, #"{"object_key":"k","operation":"download"}"#),
        Route(.put, "/system/buckets", 204, 403, 204, #"{"bucket_name":"alices","visibility":"private"}"#),
        Route(.post, "/system/buckets", 201, 400, 201, #"{"bucket_name":"alices"}"#),
        Route(.get, "/apus/v1/jobs", 200, 200, 200),
        Route(.get, "/apus/v1/jobs/none", 404, 404, 404),
        Route(.get, "/apus/v1/jobs/none/log", 404, 404, 404),
        Route(.post, "/apus/v1/jobs/none/cancel", 404, 404, 404),
        Route(.post, "/apus/v1/jobs/none/retry", 404, 404, 404),
        Route(.delete, "/apus/v1/jobs/none", 404, 404, 404),
        Route(.post, "/apus/v1/jobs/retry?state=failed", 200, 200, 200),
        Route(.delete, "/apus/v1/jobs?state=failed", 200, 200, 200),
        Route(.get, "/apus/v1/events", 200, 200, 200),
        Route(.get, "/apus/v1/schedules", 200, 200, 200),
        Route(.get, "/apus/v1/schedules?service=hers", 200, 403, 200),
        Route(.get, "/apus/v1/services/hers/backfills", 200, 403, 200),
        Route(.post, "/apus/v1/services/hers/backfills", 202, 403, 202, #"{"bucket":"herin","dry_run":true}"#),
        Route(.get, "/apus/v1/services/hers/backfills/77", 404, 403, 404),
        Route(.delete, "/apus/v1/services/hers/backfills/77", 404, 403, 404),
        Route(.post, "/apus/v1/services/hers/pause", 200, 403, 200),
        Route(.post, "/apus/v1/services/hers/resume", 200, 403, 200),
        Route(.get, "/apus/v1/images", 200, 200, 200),
        Route(.post, "/apus/v1/images", 403, 403, 400, "{}"),
        Route(.delete, "/apus/v1/images/none", 403, 403, 404),
        Route(.get, "/apus/v1/deliveries", 200, 200, 200),
        Route(.post, "/apus/v1/deliveries/retry", 200, 200, 200),
        Route(.delete, "/apus/v1/deliveries?destination=webhook:x", 404, 404, 404),
        Route(.put, "/apus/v1/services/hers/owner", 200, 403, 200, #"{"owner":"alice"}"#),
        Route(.delete, "/system/buckets/alices", 204, 403, 404),
        Route(.delete, "/system/services/hers", 204, 403, 404),
    ]

    @Test("each route: to the owner, to another user, to the administrator, to nobody, and to a service")
    func everyRoute() async throws {
        try await API.run { api in
            try await Self.create(api, "alice", "hers", input: ["herin/in"]).expect(201)
            try await Self.create(api, "bob", "his").expect(201)
            try await api.send(
                .post, "/system/buckets", authorization: API.bearer("alice"),
                body: Array(#"{"bucket_name":"alices"}"#.utf8)
            ).expect(201)
            let token = try api.token("his")
            for route in Self.routes {
                let body = route.body.isEmpty ? nil : Array(route.body.utf8)
                func status(_ authorization: String?) async throws -> Int {
                    try await api.send(route.method, route.path, authorization: authorization, body: body).status
                }
                #expect(try await status(nil) == 401, "\(route.testDescription) by nobody")
                #expect(try await status("Bearer nonsense") == 401, "\(route.testDescription) by a stranger")
                #expect(try await status(token) == 401, "\(route.testDescription) by a service")
                #expect(try await status(API.bearer("bob")) == route.other, "\(route.testDescription) by another")
                #expect(try await status(API.bearer("alice")) == route.owner, "\(route.testDescription) by the owner")
                #expect(
                    try await status(API.administrator) == route.administrator,
                    "\(route.testDescription) by the administrator")
            }
        }
    }

    // MARK: Services

    @Test("services are listed, shown and run as they are shared; only keepers see the token")
    func visibility() async throws {
        try await API.run { api in
            try await Self.create(api, "alice", "private").expect(201)
            try await Self.create(
                api, "alice", "shared",
                ["visibility": .string("restricted"), "allowed_users": .strings(["bob", " carol "])]
            ).expect(201)
            try await Self.create(api, "alice", "open", ["visibility": .string("public")]).expect(201)
            try await api.send(.post, "/system/services", body: Self.define("boss")).expect(201)
            for (user, visible) in [
                ("alice", ["open", "private", "shared"]), ("bob", ["open", "shared"]), ("carol", ["open", "shared"]),
                ("dave", ["open"]),
            ] {
                let list = try await api.send(.get, "/system/services", authorization: API.bearer(user)).expect(200)
                #expect(try Self.names(list) == visible)
                for service in try list.json().arrayValue ?? [] {
                    #expect((service["token"]?.stringValue?.isEmpty == false) == (user == "alice"))
                    #expect(service["owner"]?.stringValue == "alice")
                }
                for name in ["boss", "open", "private", "shared"] {
                    let path = "/system/services/\(name)"
                    let shown = try await api.send(.get, path, authorization: API.bearer(user))
                    if visible.contains(name) {
                        shown.expect(200)
                    } else {
                        shown.expect(403, "User \(user) doesn't have permision to get this service")
                    }
                    let run = try await api.send(
                        .post, "/run/\(name)?owner=alice", authorization: API.bearer(user), body: Array("aGk=".utf8))
                    #expect(run.status == (visible.contains(name) ? 200 : 404))
                }
            }
            let all = try await api.send(.get, "/system/services").expect(200)
            #expect(try Self.names(all) == ["boss", "open", "private", "shared"])
            #expect(try all.json().arrayValue?.first?["owner"]?.stringValue == "cluster_admin")
        }
    }

    @Test("only owner and administrator change a service; the owner stays")
    func changing() async throws {
        try await API.run { api in
            try await Self.create(api, "alice", "open", ["visibility": .string("public")]).expect(201)
            try await Self.create(api, "bob", "open").expect(400, "A service with the provided name already exists")
            let body = Self.define("open", ["visibility": .string("public"), "owner": .string("bob")])
            try await api.send(.put, "/system/services", authorization: API.bearer("bob"), body: body)
                .expect(403, "User bob doesn't have permision to modify this service")
            try await api.send(.delete, "/system/services/open", authorization: API.bearer("bob"))
                .expect(403, "User bob doesn't have permision to delete this service")
            try await api.send(.put, "/system/services", authorization: API.bearer("alice"), body: body).expect(204)
            try await api.send(.put, "/system/services", body: body).expect(204)
            let shown = try await api.send(.get, "/system/services/open").expect(200).json()
            #expect(shown["owner"]?.stringValue == "alice")
        }
    }

    @Test("a service is given away with its buckets and a new token")
    func transfer() async throws {
        try await API.run { api in
            try await Self.create(api, "alice", "cow", input: ["cowin/in"], output: ["cowout/out"]).expect(201)
            let token = try api.token("cow")
            let path = "/apus/v1/services/cow/owner"
            func give(_ user: String, _ owner: String) async throws -> Answer {
                try await api.send(
                    .put, path, authorization: API.bearer(user), body: Array(#"{"owner":"\#(owner)"}"#.utf8))
            }
            try await give("bob", "bob").expect(403)
            try await give("alice", "").expect(400)
            try await give("alice", "oscar").expect(400)
            try await give("alice", "bob").expect(200, #"{"name":"cow","owner":"bob"}"#)
            try await api.send(.get, "/system/services/cow", authorization: API.bearer("alice")).expect(403)
            try await api.send(.get, "/system/buckets/cowin", authorization: API.bearer("alice")).expect(403)
            try await api.send(.get, "/system/buckets/cowin", authorization: API.bearer("bob")).expect(200)
            try await api.send(.post, "/job/cow", authorization: token, body: []).expect(401)
            // A bucket that is not the service's own does not go with it.
            try await api.send(
                .post, "/system/buckets", authorization: API.bearer("bob"), body: Array(#"{"bucket_name":"bobs"}"#.utf8)
            ).expect(201)
            try await Self.create(api, "bob", "calf", output: ["bobs/out"]).expect(201)
            let answer = try await api.send(
                .put, "/apus/v1/services/calf/owner", authorization: API.bearer("bob"),
                body: Array(#"{"owner":"alice"}"#.utf8)
            ).expect(403)
            #expect(answer.text.contains("may not write to the bucket \"bobs\""))
        }
    }

    @Test("virtual organisations: whoever makes or runs a service of one must be in it")
    func organisations() async throws {
        try await API.run { api in
            try await Self.create(api, "alice", "cow", ["vo": .string("vo.a")])
                .expect(400, "this user isn't enrrolled on the vo: vo.a")
            let more: JSONObject = ["vo": .string("vo.a"), "visibility": .string("public")]
            try await Self.create(api, "alice:vo.a,vo.b", "cow", more).expect(201)
            let run = { (user: String) in
                try await api.send(
                    .post, "/run/cow", authorization: API.bearer(user), body: Array("aGk=".utf8))
            }
            try await run("bob:vo.a").expect(200)
            try await run("bob:vo.b").expect(401, "this user isn't enrrolled on the vo: vo.a")
            try await api.send(.get, "/system/services/cow", authorization: API.bearer("bob")).expect(200)
        }
    }

    // MARK: Data

    @Test("a service reads and writes only what its owner may")
    func places() async throws {
        try await API.run { api in
            for (user, bucket) in [("alice", "alices"), ("bob", "bobs")] {
                try await api.send(
                    .post, "/system/buckets", authorization: API.bearer(user),
                    body: Array(#"{"bucket_name":"\#(bucket)"}"#.utf8)
                ).expect(201)
            }
            for (input, output) in [(["alices/in"], ["bobs/out"]), (["bobs/in"], ["alices/out"])] {
                let answer = try await Self.create(api, "bob", "thief", input: input, output: output).expect(403)
                #expect(answer.text.contains("alices"))
            }
            try await Self.create(api, "bob", "thief", input: ["bobs/in"]).expect(201)
            let body = Self.define("thief", input: ["alices/in"])
            try await api.send(.put, "/system/services", authorization: API.bearer("bob"), body: body).expect(403)
            try await api.send(.put, "/system/services", body: body).expect(403)
            // Shared with bob it works, until it is not any more.
            let share = { (visibility: String) in
                try await api.send(
                    .put, "/system/buckets", authorization: API.bearer("alice"),
                    body: Array(#"{"bucket_name":"alices","visibility":"\#(visibility)","allowed_users":["bob"]}"#.utf8)
                ).expect(204)
            }
            _ = try await share("restricted")
            try await api.send(.put, "/system/services", authorization: API.bearer("bob"), body: body).expect(204)
            try await api.cluster.put("moo", "in/1", in: "alices")
            #expect(try await api.cluster.ended(1, of: "thief").map(\.state) == [.succeeded])
            _ = try await share("private")
            try await api.cluster.put("secret", "in/2", in: "alices")
            try await api.cluster.put("x", "in/3", in: "bobs")
            let events = try await eventually("two more events", state: { "" }) {
                let events = try await api.cluster.events.events(.init()).map(\.event)
                return events.count >= 3 ? events : nil
            }
            #expect(events.first { $0.key.text == "in/2" }?.services == [])
            #expect(try await api.cluster.allJobs("thief").count == 1)
        }
    }

    @Test("nobody lets somebody else's service read for them what they may not read")
    func borrowedRights() async throws {
        try await API.run { api in
            try await Self.create(
                api, "alice", "open", ["visibility": .string("public")], input: ["alicein/in"], output: []
            ).expect(201)
            try await api.send(
                .post, "/system/buckets", authorization: API.bearer("alice"),
                body: Array(#"{"bucket_name":"diary"}"#.utf8)
            ).expect(201)
            try await api.cluster.put("secret", "page", in: "diary")
            let event = """
                {"Records":[{"eventSource":"minio:s3","eventName":"s3:ObjectCreated:Put","requestParameters":\
                {"principalId":"alice"},"s3":{"bucket":{"name":"diary"},"object":{"key":"page"}}}]}
                """
            for path in ["/run/open", "/job/open"] {
                let answer = try await api.send(
                    .post, path, authorization: API.bearer("bob"), body: Array(event.utf8)
                ).expect(403)
                #expect(!answer.text.contains("secret"))
            }
            // The owner may: it is hers.
            let answer = try await api.send(
                .post, "/run/open", authorization: API.bearer("alice"), body: Array(event.utf8)
            ).expect(200)
            #expect(
                (Base64.decode(answer.text.trimmed).map { String(decoding: $0, as: UTF8.self) } ?? answer.text)
                    .trimmed == "secret")
        }
    }

    @Test("jobs and logs: users have their own, the owner of the service has all")
    func jobs() async throws {
        try await API.run { api in
            try await Self.create(api, "alice", "open", ["visibility": .string("public")]).expect(201)
            var jobs: [String: String] = [:]
            for user in ["alice", "bob", "carol"] {
                let answer = try await api.send(
                    .post, "/job/open", authorization: API.bearer(user), body: Array(user.utf8)
                ).expect(201)
                jobs[user] = answer.header("X-Job-Name") ?? ""
            }
            try await api.cluster.ended(3, of: "open")
            let (alices, bobs, carols) = (
                try #require(jobs["alice"]), try #require(jobs["bob"]), try #require(jobs["carol"])
            )
            func seen(_ user: String, _ path: String) async throws -> Set<String> {
                let answer = try await api.send(.get, path, authorization: API.bearer(user)).expect(200).json()
                let list = answer["jobs"]
                return Set(
                    list?.objectValue?.members.map(\.key) ?? list?.arrayValue?.compactMap { $0["name"]?.stringValue }
                        ?? [])
            }
            for path in ["/system/logs/open", "/apus/v1/jobs", "/apus/v1/jobs?service=open"] {
                #expect(try await seen("alice", path) == [alices, bobs, carols])
                #expect(try await seen("bob", path) == [bobs])
                #expect(try await seen("dave", path) == [])
            }
            for path in [
                "/system/logs/open/\(carols)", "/apus/v1/jobs/\(carols)", "/apus/v1/jobs/\(carols)/log",
            ] {
                try await api.send(.get, path, authorization: API.bearer("bob")).expect(404)
                try await api.send(.get, path, authorization: API.bearer("carol")).expect(200)
                try await api.send(.get, path, authorization: API.bearer("alice")).expect(200)
            }
            for (method, path) in [
                (HTTPRequest.Method.delete, "/system/logs/open/\(carols)"), (.post, "/apus/v1/jobs/\(carols)/cancel"),
                (.post, "/apus/v1/jobs/\(carols)/retry"), (.delete, "/apus/v1/jobs/\(carols)"),
            ] {
                try await api.send(method, path, authorization: API.bearer("bob")).expect(404)
            }
            try await api.send(.delete, "/system/logs/open?all=true", authorization: API.bearer("bob")).expect(204)
            #expect(try await seen("alice", "/apus/v1/jobs") == [alices, carols])
            try await api.send(.delete, "/system/logs/open?all=true", authorization: API.bearer("alice")).expect(204)
            #expect(try await seen("carol", "/apus/v1/jobs") == [])
        }
    }

    @Test("events show to those who may list their bucket")
    func events() async throws {
        try await API.run { api in
            try await Self.create(api, "alice", "cow", input: ["cowin/in"]).expect(201)
            try await Self.create(api, "bob", "calf", input: ["calfin/in"]).expect(201)
            try await api.cluster.put("x", "in/1", in: "cowin")
            try await api.cluster.put("x", "in/1", in: "calfin")
            try await api.cluster.ended(2)
            for (user, bucket) in [("alice", "cowin"), ("bob", "calfin")] {
                let answer = try await api.send(.get, "/apus/v1/events", authorization: API.bearer(user)).expect(200)
                let events = try answer.json()["events"]?.arrayValue ?? []
                #expect(events.map { $0["bucket"]?.stringValue } == [bucket])
                #expect(events.first?["jobs"]?.arrayValue?.count == 1)
            }
        }
    }

    // MARK: Buckets

    @Test("buckets: owned, shared, and those of services shared as these are")
    func buckets() async throws {
        try await API.run { api in
            func send(_ user: String, _ method: HTTPRequest.Method, _ path: String = "", _ body: String = "")
                async throws
                -> Answer
            {
                try await api.send(
                    method, "/system/buckets\(path)", authorization: API.bearer(user),
                    body: body.isEmpty ? nil : Array(body.utf8))
            }
            try await send("alice", .post, "", #"{"bucket_name":"alices/folder"}"#).expect(201)
            try await send("alice", .post, "", #"{"bucket_name":"alices"}"#).expect(201)
            try await send("bob", .post, "", #"{"bucket_name":"alices"}"#)
                .expect(400, "Error creating bucket with name 'alices': the bucket \"alices\" already exists\n")
            try await send(
                "alice", .put, "", #"{"bucket_name":"alices","visibility":"restricted","allowed_users":["bob"]}"#
            )
            .expect(204)
            let shown = try await send("bob", .get, "/alices").expect(200).json()
            #expect(shown["owner"]?.stringValue == "alice")
            #expect(shown["visibility"]?.stringValue == "restricted")
            #expect(shown["metadata"]?["owner_name"]?.stringValue == "ALICE")
            try await send("carol", .get, "/alices").expect(403, "User 'carol' is not authorised")
            try await send("bob", .delete, "/alices").expect(403)
            try await send("bob", .put, "", #"{"bucket_name":"alices","visibility":"public"}"#).expect(403)
            #expect(try Self.names(try await send("bob", .get), "bucket_name") == ["alices"])
            #expect(try Self.names(try await send("carol", .get), "bucket_name") == [])
            try await Self.create(
                api, "alice", "cow", ["visibility": .string("restricted"), "allowed_users": .strings(["carol"])],
                input: ["cowin/in"]
            ).expect(201)
            let made = try await send("carol", .get, "/cowin").expect(200).json()
            #expect(made["metadata"]?["from_service"]?.stringValue == "cow")
            try await send("alice", .put, "", #"{"bucket_name":"cowin","visibility":"public"}"#)
                .expect(403, "Forbidden action: A bucket from a service can't be modified\n")
            try await send("alice", .delete, "/cowin").expect(403)
            // Shared as the service is, also when that changes.
            try await api.send(
                .put, "/system/services", authorization: API.bearer("alice"),
                body: Self.define("cow", input: ["cowin/in"])
            ).expect(204)
            try await send("carol", .get, "/cowin").expect(403)
        }
    }

    @Test("links are signed with the keys of whoever asks, who sees only those")
    func presigning() async throws {
        try await API.run { api in
            try await api.send(
                .post, "/system/buckets", authorization: API.bearer("alice"),
                body: Array(#"{"bucket_name":"alices"}"#.utf8)
            ).expect(201)
            let body = Array(#"{"object_key":"k","operation":"upload"}"#.utf8)
            let own = try await api.send(
                .post, "/system/buckets/alices/presign", authorization: API.bearer("alice"), body: body
            ).expect(200).json()
            #expect(own["url"]?.stringValue?.contains("key-of-alice") == true)
            let config = try await api.send(.get, "/system/config", authorization: API.bearer("alice")).expect(200)
            #expect(config.text.contains("key-of-alice") && !config.text.contains("secret-key"))
        }
    }

    @Test("deleting a service with its data leaves what is used by others, and what is somebody else's by now")
    func deletion() async throws {
        try await API.run { api in
            try await Self.create(
                api, "alice", "cow", ["visibility": .string("public")], input: ["cowin/in"], output: ["cowout/out"]
            ).expect(201)
            try await Self.create(api, "bob", "calf", input: ["cowout/out"]).expect(201)
            try await api.cluster.put("x", "a", in: "cowin")
            try await api.cluster.put("x", "a", in: "cowout")
            try await api.send(.delete, "/system/services/cow?delete_data=true", authorization: API.bearer("alice"))
                .expect(204)
            #expect(try await api.cluster.keys("cowout") == ["a"])
            let list = try await api.send(.get, "/system/buckets")
            #expect(try Self.names(list, "bucket_name") == ["cowout"])
        }
    }

    // MARK: Properties

    /// Random users, services and routes: whatever the answer, nothing of a private service of somebody else is in it.
    @Test("nothing crosses tenants") func nothingCrosses() async throws {
        try await API.run { api in
            let users = ["alice", "bob", "carol"]
            for user in users {
                let more: JSONObject = [
                    "environment": .object(["variables": .map(["MARK": "mark-of-\(user)"])]),
                    "annotations": .map(["mark": "mark-of-\(user)"]),
                ]
                try await Self.create(api, user, "of-\(user)", more, input: ["in-\(user)/in"]).expect(201)
                try await api.cluster.put("mark-of-\(user)", "in/mark-of-\(user)", in: "in-\(user)")
            }
            let jobs = try await api.cluster.ended(3)
            let paths = [
                "/system/services", "/system/services/of-X", "/system/services/of-X/deployment",
                "/system/services/of-X/deployment/logs", "/system/logs/of-X", "/system/logs/of-X/JOB",
                "/system/buckets", "/system/buckets/in-X", "/apus/v1/jobs", "/apus/v1/jobs?service=of-X",
                "/apus/v1/jobs/JOB", "/apus/v1/jobs/JOB/log", "/apus/v1/events", "/apus/v1/events?bucket=in-X",
                "/apus/v1/services/of-X/backfills", "/apus/v1/schedules", "/apus/v1/deliveries",
            ]
            var random = SeededGenerator(seed: 62)
            for _ in 0..<250 {
                let user = try #require(users.randomElement(using: &random))
                let other = try #require(users.randomElement(using: &random))
                let job = try #require(jobs.first { $0.service.text == "of-\(other)" })
                let path = try #require(paths.randomElement(using: &random))
                    .replacing("X", with: other).replacing("JOB", with: job.name.text)
                let answer = try await api.send(.get, path, authorization: API.bearer(user))
                for stranger in users where stranger != user {
                    #expect(!answer.text.contains("mark-of-\(stranger)"), "\(path) by \(user)")
                    let names = ["of-\(stranger)", "in-\(stranger)"].filter { !path.contains($0) }
                    #expect(!names.contains(where: answer.text.contains), "\(path) by \(user)")
                }
                if other == user { #expect(answer.status == 200, "\(path) by \(user)") }
            }
        }
    }
}

extension String {
    fileprivate var trimmed: Substring {
        var text = self[...]
        while text.last?.isWhitespace == true { text.removeLast() }
        return text
    }
}
