import Cluster
import ClusterTesting
import HTTPTypes
import Model
import Testing

@Suite("/system/quotas and /system/volumes", .serialized, .timeLimit(.minutes(2)))
struct QuotaRoutesTests {
    private static let ada = "Bearer user:ada"
    private static let bob = "Bearer user:bob"

    private func body(_ text: String) -> [UInt8] { Array(text.utf8) }

    private static func options(_ quota: String) throws -> ClusterFixture.Options {
        var options = ClusterFixture.Options()
        options.quota = try Quota(text: quota)
        return options
    }

    @Test("a user's quota has OSCAR's form") func form() async throws {
        let options = try Self.options(
            "cpu=2,memory=2Gi,gpu=0,ephemeral_storage=1Gi,buckets=3,storage_per_bucket=5Gi,volumes=2,volume_disk=10Gi,"
                + "max_disk_per_volume=5Gi,min_disk_per_volume=1Mi,storage_total=1Ti")
        try await APIFixture.run(options) { api in
            let expected =
                #"{"user_id":"ada","resources":{"cpu":{"max":2000,"used":0},"ephemeral-storage":{"max":1073741824,"#
                + #""used":0},"gpu":{"max":0,"used":0},"memory":{"max":2147483648,"used":0}},"volumes":{"disk":"#
                + #"{"max":"10Gi","used":"0"},"volumes":{"max":"2","used":"0"},"max_disk_per_volume":"5Gi","#
                + #""min_disk_per_volume":"1Mi"},"minio":{"buckets":{"max":3,"used":0},"storage_per_bucket":"#
                + #"{"max":"5Gi"},"storage_total":{"used":"0","max":"1Ti"}}}"#
            try await api.send(.get, "/system/quotas/user", authorization: Self.ada).expect(200, expected)
            try await api.send(.get, "/system/quotas/user/ada").expect(200, expected)
        }
    }

    @Test("what has no limit is named") func unlimited() async throws {
        try await APIFixture.run { api in
            let answer = try await api.send(.get, "/system/quotas/user/x%40egi.eu").expect(200).json()
            #expect(answer["user_id"]?.stringValue == "x@egi.eu")
            #expect(answer["resources"]?["cpu"]?["max"] == .integer(4000))
            #expect(answer["minio"]?["buckets"]?["max"] == .integer(0))
            #expect(answer["unlimited"]?.arrayValue?.count == QuotaField.allCases.count)
        }
    }

    @Test("who may do what") func rights() async throws {
        try await APIFixture.run { api in
            let own = try await api.send(.get, "/system/quotas/user").expect(401)
            #expect(own.text.hasPrefix("missing user identificator: "))
            // Their own is no secret to them.
            try await api.send(.get, "/system/quotas/user/ada", authorization: Self.ada).expect(200)
            try await api.send(.get, "/system/quotas/user/ada", authorization: Self.bob).expect(403, "forbidden")
            try await api.send(
                .put, "/system/quotas/user/ada", authorization: Self.ada, body: body(#"{"cpu":"9"}"#)
            ).expect(403, "forbidden")
            try await api.send(.get, "/system/quotas/user", authorization: nil).expect(401)
        }
    }

    @Test("both spellings, and what is refused") func changes() async throws {
        try await APIFixture.run { api in
            let target = "/system/quotas/user/ada"
            let one = try await api.send(
                .put, target, body: body(#"{"cpu":"2","ephemeral-storage":"1Gi","minio":{"buckets":"4"}}"#)
            ).expect(200).json()
            #expect(one["resources"]?["cpu"]?["max"] == .integer(2000))
            #expect(one["resources"]?["ephemeral-storage"]?["max"] == .integer(1 << 30))
            #expect(one["minio"]?["buckets"]?["max"] == .integer(4))
            let two = try await api.send(.put, target, body: body(#"{"ephemeral_storage":"2Gi"}"#)).expect(200).json()
            #expect(two["resources"]?["ephemeral-storage"]?["max"] == .integer(2 << 30))
            #expect(two["resources"]?["cpu"]?["max"] == .integer(2000))
            for empty in [#"{}"#, #"{"gpu":"1"}"#] {
                try await api.send(.put, target, body: body(empty)).expect(
                    400, "cpu, memory, ephemeral_storage, volumes or minio must be provided")
            }
            try await api.send(.put, target, body: body(#"{"cpu":"two"}"#)).expect(400)
            try await api.send(.put, target, body: body("")).expect(400)
            try await api.send(
                .put, target, body: body(#"{"volumes":{"max_disk_per_volume":"1Gi"}}"#)
            ).expect(200)
            try await api.send(
                .put, target, body: body(#"{"volumes":{"min_disk_per_volume":"2Gi"}}"#)
            ).expect(400, "volumes.min_disk_per_volume: must not be more than max_disk_per_volume")
        }
    }

    @Test("buckets show their quota") func buckets() async throws {
        try await APIFixture.run(Self.options("storage_per_bucket=1Gi")) { api in
            try await api.send(
                .post, "/system/buckets", authorization: Self.ada, body: body(#"{"bucket_name":"data"}"#)
            ).expect(201)
            let list = try await api.send(.get, "/system/buckets").expect(200)
            #expect(list.text.contains(#""storage_quota":{"max":"1Gi","max_bytes":1073741824,"source":"bucket"}"#))
        }
    }

    @Test("volumes: make, show, resize, remove") func volumes() async throws {
        try await APIFixture.run(Self.options("volumes=1")) { api in
            let target = "/system/volumes"
            try await api.send(.get, target, authorization: Self.ada).expect(200, "[]")
            let made = try await api.send(
                .post, target, authorization: Self.ada, body: body(#"{"name":"v","size":"1Gi"}"#))
            let expected =
                #"{"name":"v","size":"1Gi","owner_user":"ada","creation_mode":"api","lifecycle_policy":"retain","#
                + #""status":{"phase":"ready"},"used_bytes":0}"#
            made.expect(201, expected)
            try await api.send(.get, target + "/v", authorization: Self.ada).expect(200, expected)
            // Others neither see nor touch it; the administrator does, by name.
            try await api.send(.get, target + "/v", authorization: Self.bob).expect(404)
            try await api.send(.delete, target + "/v", authorization: Self.bob).expect(404)
            try await api.send(.get, target, authorization: Self.bob).expect(200, "[]")
            try await api.send(.get, target).expect(200, "[]")
            try await api.send(.get, target + "/v?owner=ada").expect(200, expected)
            try await api.send(.get, target + "?owner=*").expect(200, "[\(expected)]")
            try await api.send(.get, target + "?owner=*", authorization: Self.bob).expect(200, "[]")
            try await api.send(
                .post, target, authorization: Self.ada, body: body(#"{"name":"w","size":"1Gi"}"#)
            ).expect(400)
            try await api.send(
                .post, target, authorization: Self.ada, body: body(#"{"name":"v","size":"1Gi"}"#)
            ).expect(409, "volume already exists in caller namespace")
            let larger = try await api.send(
                .put, target + "/v", authorization: Self.ada, body: body(#"{"size":"2Gi"}"#)
            ).expect(200).json()
            #expect(larger["size"]?.stringValue == "2Gi")
            try await api.send(.delete, target + "/v", authorization: Self.ada).expect(204, "")
            try await api.send(.delete, target + "/v", authorization: Self.ada).expect(404)
        }
    }

    @Test(
        "volumes that cannot be",
        arguments: [
            (#"{"size":"1Gi"}"#, "The volume specification is not valid: "),
            (#"{"name":"v"}"#, "The volume specification is not valid: "),
            (#"{"name":"V","size":"1Gi"}"#, "volume.name must satisfy Kubernetes DNS-1123 naming rules"),
            (#"{"name":"..","size":"1Gi"}"#, "volume.name must satisfy Kubernetes DNS-1123 naming rules"),
            (#"{"name":"v","size":"0"}"#, "volume.size must be a valid positive quantity"),
            (#"{"name":"v","size":"x"}"#, "volume.size must be a valid positive quantity"),
            ("[]", "The volume specification is not valid: "),
        ]) func refusedVolumes(text: String, words: String) async throws
    {
        try await APIFixture.run { api in
            let answer = try await api.send(.post, "/system/volumes", body: body(text)).expect(400)
            #expect(answer.text.hasPrefix(words), "\(answer.text)")
        }
    }
}
