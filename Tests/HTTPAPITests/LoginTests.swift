import Cluster
import ClusterTesting
import HTTPAPI
import HTTPTypes
import Model
import S3Wire
import Synchronization
import Testing

/// Who is let in, and what is said to those who are not.
@Suite(.timeLimit(.minutes(1))) struct LoginTests {
    private func withLogins(_ body: @escaping @Sendable (APIFixture, LoginFixture) async throws -> Void) async throws {
        let holder = Mutex<LoginFixture?>(nil)
        let make: @Sendable (ClusterFixture) async throws -> LoginFixture? = { cluster in
            let logins = try await LoginFixture(cluster)
            holder.withLock { $0 = logins }
            return logins
        }
        try await APIFixture.run(logins: make) { api in try await body(api, try #require(holder.withLock { $0 })) }
    }

    @Test(
        arguments: [
            ("Bearer nonsense", 400, "the token is not a JSON Web Token", nil),
            ("Bearer expired.of.ada", 401, "the token \"expired\"", "error=\"invalid_token\""),
            ("Bearer foreign.of.ada", 401, "'x' is not listed as an authorized issuer", "Bearer realm"),
            ("Bearer down.of.ada", 503, "no answer", nil),
            ("Basic eDp5", 401, "", "Basic realm=\"Authorization Required\""),
            ("Bearer " + String(repeating: "0", count: 64), 401, "", "Basic"),
        ] as [(String, Int, String, String?)])
    func whoIsNotLetInGoesNoFurther(authorization: String, status: Int, text: String, challenge: String?) async throws {
        try await withLogins { api, _ in
            let service = JSONValue.object(["name": "x", "script": "true", "image": "i"])
            for (method, path) in [
                ("GET", "/system/info"), ("POST", "/system/services"), ("GET", "/apus/v1/jobs"),
                ("POST", "/run/x"), ("POST", "/job/x"), ("GET", "/system/config"),
            ] {
                let answer = try await api.send(
                    .init(method)!, path, authorization: authorization, body: method == "POST" ? service.bytes() : nil)
                answer.expect(status, text)
                if let challenge { #expect(answer.header("www-authenticate")?.contains(challenge) == true) }
                if status == 503 { #expect(answer.header("retry-after") == "7") }
            }
            #expect(api.cluster.catalog.all.isEmpty)
        }
    }

    @Test func aUserGetsOwnKeysAndTheAdministratorThoseOfTheStore() async throws {
        try await withLogins { api, logins in
            let own = try await api.send(.get, "/system/config", authorization: LoginFixture.bearer("ada")).expect(200)
                .json()
            let keys = try #require(logins.users.keys(of: try UserID("ada")))
            #expect(own["minio_provider"]?["access_key"] == .string(keys.accessKey))
            #expect(own["minio_provider"]?["secret_key"] == .string(keys.secretKey))
            let all = try await api.send(.get, "/system/config").expect(200).json()
            #expect(all["minio_provider"]?["access_key"] == "access")
            // Known from then on: nobody is asked again.
            try await api.send(.get, "/system/info", authorization: LoginFixture.bearer("ada")).expect(200)
            #expect(logins.asked.withLock { $0 } == 1)
        }
    }

    @Test func onlyTheAdministratorChangesTheConfiguration() async throws {
        try await withLogins { api, _ in
            let body = JSONValue.object(["allowed_image_repositories": .strings(["x"])])
            try await api.send(
                .put, "/system/config", authorization: LoginFixture.bearer("ada"), body: body.bytes()
            ).expect(401, "\"\"")
            try await api.send(.put, "/system/config", json: body).expect(200)
        }
    }

    @Test func usersAreForTheAdministrator() async throws {
        try await withLogins { api, logins in
            for name in ["ada", "boss", "a%2Fb"] {
                try await api.send(.get, "/system/info", authorization: LoginFixture.bearer(name)).expect(200)
            }
            let list = try await api.send(.get, "/apus/v1/users").expect(200).json()
            #expect(list["users"]?.arrayValue?.compactMap { $0["user"]?.stringValue } == ["a%2Fb", "ada", "boss"])
            #expect(list["users"]?[1]?["groups"] == .strings(["vo.a"]))
            #expect(!list.text().contains(try #require(logins.users.keys(of: try UserID("ada"))).secretKey))
            try await api.send(.get, "/apus/v1/users", authorization: LoginFixture.bearer("boss")).expect(200)
            try await api.send(.get, "/apus/v1/users", authorization: LoginFixture.bearer("ada")).expect(403)
            for path in ["/apus/v1/users/ada", "/apus/v1/users/ada/keys"] {
                try await api.send(.delete, path, authorization: LoginFixture.bearer("boss")).expect(403)
            }
            try await api.send(.post, "/apus/v1/users/boss/keys", authorization: LoginFixture.bearer("ada")).expect(403)
            try await api.send(.post, "/apus/v1/users/ada/disable", authorization: LoginFixture.bearer("ada")).expect(
                403)
            let keys = try await api.send(.post, "/apus/v1/users/ada/keys", authorization: LoginFixture.bearer("ada"))
                .expect(200).json()
            #expect(keys["secret_key"]?.stringValue == logins.users.keys(of: try UserID("ada"))?.secretKey)
            try await api.send(.get, "/apus/v1/users/nobody").expect(404)
            try await api.send(.delete, "/apus/v1/users/nobody").expect(404)
        }
    }

    @Test func whoIsDisabledIsOutAtOnce() async throws {
        try await withLogins { api, logins in
            try await api.send(.get, "/system/info", authorization: LoginFixture.bearer("ada")).expect(200)
            let answer = try await api.send(.post, "/apus/v1/users/ada/disable").expect(200).json()
            #expect(answer["disabled"] == true)
            try await api.send(.get, "/system/info", authorization: LoginFixture.bearer("ada")).expect(401)
            try await api.send(.post, "/apus/v1/users/ada/enable").expect(200)
            try await api.send(.get, "/system/info", authorization: LoginFixture.bearer("ada")).expect(200)
            try await api.send(.delete, "/apus/v1/users/ada").expect(204)
            #expect(logins.users.records.isEmpty)
        }
    }

    @Test func basicWorksForRunsAndJobs() async throws {
        try await withLogins { api, _ in
            try await api.send(
                .post, "/system/services",
                json: .object([
                    "name": "echo", "script": "cat \"$INPUT_FILE_PATH\"", "image": "none", "sandbox": "process",
                ])
            ).expect(201)
            try await api.send(.post, "/run/echo", body: Array("hello".utf8)).expect(200)
            try await api.send(.post, "/job/echo", body: Array("hello".utf8)).expect(201)
            try await api.send(.post, "/run/echo", authorization: nil, body: []).expect(401)
        }
    }

    @Test func whoFailsOftenWaitsAndWhatWorkedGoesOn() async throws {
        try await withLogins { api, _ in
            try await api.send(.get, "/system/info").expect(200)
            let wrong = "Basic " + Base64.encode(Array("oscar:guess".utf8))
            for _ in 0..<10 { try await api.send(.get, "/system/info", authorization: wrong).expect(401) }
            for path in ["/system/info", "/apus/v1/jobs"] {
                let answer = try await api.send(.get, path, authorization: wrong).expect(429)
                #expect((1...7).contains(Int(answer.header("retry-after") ?? "") ?? 0))
            }
            try await api.send(.get, "/system/info").expect(200)
            try await api.send(.get, "/system/info", authorization: LoginFixture.bearer("ada")).expect(200)
        }
    }

    @Test func aRightPasswordDoesNotHelpThoseWhoGuess() async throws {
        try await withLogins { api, _ in
            let wrong = "Basic " + Base64.encode(Array("oscar:guess".utf8))
            for _ in 0..<10 { try await api.send(.get, "/system/info", authorization: wrong).expect(401) }
            try await api.send(.get, "/system/info").expect(429)
            try await api.send(.post, "/run/nothing", body: []).expect(429)
        }
    }
}
