import Cluster
import ClusterTesting
import HTTPTypes
import Model
import NIOCore
import StateStore
import TestKit
import Testing

@Suite("Health, system, and what all routes have in common", .serialized, .timeLimit(.minutes(2)))
struct SystemRoutesTests {
    @Test("health needs no one")
    func health() async throws {
        try await APIFixture.run { api in
            for path in ["/health", "/health/"] {
                let answer = try await api.send(.get, path, authorization: nil).expect(200, "Ok")
                #expect(answer.header("content-type") == "text/plain; charset=utf-8")
            }
            let metrics = try await api.send(.get, "/metrics", authorization: nil).expect(200)
            #expect(metrics.header("content-type")?.hasPrefix("text/plain; version=0.0.4") == true)
        }
    }

    @Test("info and config, byte for byte")
    func infoAndConfig() async throws {
        try await APIFixture.run { api in
            let info = try await api.send(.get, "/system/info").expect(
                200,
                #"{"version":"0.1","git_commit":"abc","architecture":"amd64","kubernetes_version":"","#
                    + #""serverless_backend":{"name":"Apus","version":"0.1"}}"#
            )
            #expect(info.header("content-type") == "application/json; charset=utf-8")
            let config =
                #"{"config":{"name":"oscar","namespace":"oscar","services_namespace":"oscar-svc","#
                + #""controller_service_account":"oscar-sa","gpu_available":false,"interLink_available":false,"#
                + #""serverless_backend":"apus","yunikorn_enable":false,"kueue_enable":true,"volume_enable":true,"#
                + #""oidc_groups":[],"minio_quota_enabled":true},"#
                + #""minio_provider":{"endpoint":"http://127.0.0.1:9000","verify":true,"access_key":"access","#
                + #""secret_key":"secret-key","region":"us-east-1"},"allowed_image_repositories":[]}"#
            for path in ["/system/config", "/system/config/"] { try await api.send(.get, path).expect(200, config) }
        }
    }

    @Test("the list of allowed images is replaced, and wrong ones are refused")
    func allowedImages() async throws {
        try await APIFixture.run { api in
            try await api.send(
                .put, "/system/config", json: .object(["allowed_image_repositories": .strings(["ghcr.io/<x>&"])])
            )
            .expect(200, #"["ghcr.io/\u003cx\u003e\u0026"]"#)
            for body in [
                "{}", "[]", "{", "", #"{"allowed_image_repositories":[1]}"#, #"{"allowed_image_repositories":"x"}"#,
            ] {
                try await api.send(.put, "/system/config", body: Array(body.utf8)).expect(400)
            }
            #expect(api.cluster.allowedImages.list == ["ghcr.io/<x>&"])
            try await api.send(.put, "/system/config", json: .object(["allowed_image_repositories": .array([])]))
                .expect(200, "[]")
        }
    }

    @Test("the status has OSCAR's keys in OSCAR's order, and counts what is there")
    func status() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("s", script: "exit 1", input: ["inbox/x"])
            _ = try await api.cluster.jobs.post([], to: try ServiceName("s"), name: nil, principal: "p")
            try await api.cluster.ended(1)
            try await eventually("all is free") { api.cluster.scheduler.free == api.cluster.scheduler.capacity }
            let answer = try await api.send(.get, "/system/status").expect(200)
            try answer.expectKeys(["cluster", "oscar", "minio"])
            try answer.expectKeys(["nodes_count", "metrics", "nodes"], at: ["cluster"])
            try answer.expectKeys(
                [
                    "total_free_cores", "max_free_on_node_cores", "total_schedulable_cores",
                    "total_schedulable_on_node_cores",
                ],
                at: ["cluster", "metrics", "cpu"]
            )
            try answer.expectKeys(
                [
                    "total_free_bytes", "max_free_on_node_bytes", "total_schedulable_bytes",
                    "max_schedulable_on_node_bytes",
                ],
                at: ["cluster", "metrics", "memory"]
            )
            try answer.expectKeys(
                ["deployment_name", "ready", "deployment", "jobs_count", "pods", "oidc"], at: ["oscar"])
            try answer.expectKeys(
                ["available_replicas", "ready_replicas", "replicas", "creation_timestamp", "strategy", "labels"],
                at: ["oscar", "deployment"]
            )
            try answer.expectKeys(
                ["Failed", "Pending", "Running", "Succeeded", "Unknown"], at: ["oscar", "pods", "states"])
            let json = try answer.json()
            #expect(json["oscar"]?["pods"]?["states"]?["Failed"]?.integerValue == 1)
            #expect(json["oscar"]?["jobs_count"]?.integerValue == 1)
            #expect(json["minio"]?["buckets_count"]?.integerValue == 1)
            #expect(json["cluster"]?["metrics"]?["cpu"]?["total_free_cores"]?.integerValue == 4000)
            let node = try #require(json["cluster"]?["nodes"]?.arrayValue?.first)
            #expect(
                node.objectValue?.members.map(\.key)
                    == ["name", "cpu", "memory", "gpu", "is_interlink", "status", "conditions"]
            )
        }
    }

    @Test("unknown routes and wrong methods are not found, in gin's words")
    func unknown() async throws {
        try await APIFixture.run { api in
            for (method, path): (HTTPRequest.Method, String) in [
                (.get, "/nothing"), (.get, "/"), (.post, "/health"), (.delete, "/system/info"), (.get, "/run/s"),
                (.get, "/job/s"),
                (.patch, "/system/services"), (.get, "/system"), (.get, "/system/nothing"), (.get, "/apus/v1/nothing"),
                (.get, "/system/services/a/b/c/d"),
            ] {
                try await api.send(method, path).expect(404, "404 page not found")
            }
        }
    }

    @Test("a browser on another origin may ask, and may read errors, too")
    func cors() async throws {
        try await APIFixture.run { api in
            let origin = ["Origin": "http://dashboard.example"]
            let preflight = try await api.send(
                .options, "/system/services", authorization: nil,
                headers: origin.merging([
                    "Access-Control-Request-Method": "DELETE",
                    "Access-Control-Request-Headers": "authorization, x-other",
                ]) { $1 }
            ).expect(204, "")
            #expect(preflight.header("access-control-allow-origin") == "*")
            #expect(preflight.header("access-control-allow-methods") == "GET, POST, PUT, DELETE, OPTIONS")
            #expect(preflight.header("access-control-allow-headers") == "authorization, x-other")
            #expect(preflight.header("access-control-max-age") == "600")
            for (path, authorization, status): (String, String?, Int) in [
                ("/health", nil, 200), ("/system/info", nil, 401), ("/nothing", nil, 404),
                ("/system/services/none", APIFixture.administrator, 404),
            ] {
                let answer = try await api.send(.get, path, authorization: authorization, headers: origin).expect(
                    status)
                #expect(answer.header("access-control-allow-origin") == "*", "\(path)")
            }
            #expect(try await api.send(.get, "/health").header("access-control-allow-origin") == nil)
        }
    }

    @Test("bodies that are no JSON, or too large, are refused")
    func bodies() async throws {
        try await APIFixture.run { api in
            for target in ["/system/services", "/system/buckets"] {
                for body in [
                    "", "{", "nonsense", "[1,]", "\u{0}", "{\"name\":\"s\"", String(repeating: "[", count: 100_000),
                ] {
                    let answer = try await api.send(.post, target, body: Array(body.utf8)).expect(400)
                    #expect(answer.header("content-type") == "text/plain; charset=utf-8" && answer.body.count < 1000)
                }
                try await api.send(.post, target, body: [0xFF, 0xFE, 0x7B]).expect(400)
            }
            let huge = [UInt8](repeating: 0x20, count: (16 << 20) + 1)
            try await api.send(.post, "/system/services", body: huge).expect(413)
            #expect(api.cluster.catalog.all.isEmpty)
        }
    }

    // MARK: Who may do what

    enum Caller: CaseIterable {
        case nobody, wrongPassword, wrongScheme, own, other, unknownToken, shortToken, administrator
    }

    private func authorization(_ caller: Caller, _ api: APIFixture) throws -> String? {
        switch caller {
        case .nobody: nil
        case .wrongPassword: "Basic " + Base64.encode(Array("oscar:wrong".utf8))
        case .wrongScheme: "Digest x"
        case .own: try api.token("own")
        case .other: try api.token("other")
        case .unknownToken: "Bearer " + String(repeating: "a", count: 64)
        case .shortToken: "Bearer abc"
        case .administrator: APIFixture.administrator
        }
    }

    @Test("the administrator may do all; a service may call itself; all others nothing")
    func matrix() async throws {
        try await APIFixture.run { api in
            for name in ["own", "other"] { try await api.cluster.create(name, script: "echo hi") }
            for caller in Caller.allCases {
                let authorization = try authorization(caller, api)
                for path in [
                    "/system/info", "/system/config", "/system/status", "/system/services", "/system/services/own",
                    "/system/logs/own",
                    "/system/buckets", "/apus/v1/jobs", "/apus/v1/images",
                ] {
                    let answer = try await api.send(.get, path, authorization: authorization)
                    answer.expect(caller == .administrator ? 200 : 401)
                    if caller != .administrator {
                        #expect(answer.body.isEmpty)
                        #expect(answer.header("www-authenticate") == "Basic realm=\"Authorization Required\"")
                    }
                }
                let mayCall = caller == .own || caller == .administrator
                try await api.send(.post, "/run/own", authorization: authorization, body: [1]).expect(
                    mayCall ? 200 : 401)
                try await api.send(.post, "/job/own", authorization: authorization, body: [1]).expect(
                    mayCall ? 201 : 401)
                for path in ["/run/none", "/job/none"] {
                    try await api.send(.post, path, authorization: authorization, body: [1])
                        .expect(caller == .administrator ? 404 : 401)
                }
            }
            #expect(try await api.cluster.ended(2).allSatisfy { $0.service.text == "own" })
        }
    }
}
