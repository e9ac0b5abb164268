import ClusterTesting
import HTTPTypes
import Model
import NIOCore
import ObjectEngine
import Testing

@Suite("/system/buckets", .serialized, .timeLimit(.minutes(2)))
struct BucketRoutesTests {
    private let target = "/system/buckets"

    private func body(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test("create, list, change, delete, with OSCAR's statuses and keys")
    func lifeCycle() async throws {
        try await APIFixture.run { api in
            try await api.send(.get, target).expect(200, "[]")
            try await api.send(
                .post, target,
                body: body(#"{"bucket_name":"photos/folder","visibility":"restricted","allowed_users":["a","b"]}"#)
            )
            .expect(201, "")
            try await api.send(.post, target, body: body(#"{"Bucket_Name":"photos"}"#)).expect(201, "")
            try await api.send(.put, target, body: body(#"{"bucket_name":"photos","visibility":"public"}"#)).expect(
                204, "")
            try await api.cluster.put("hello", "a<b", in: "photos")
            try await api.send(.get, target).expect(
                200,
                #"[{"bucket_name":"photos","visibility":"public","allowed_users":[],"owner":"oscar","metadata":{},"#
                    + #""storage_quota":{"source":"unset"},"storage_usage":{"used":"5","used_bytes":5,"objects":1}}]"#
            )
            let one = try await api.send(.get, target + "/photos").expect(200)
            try one.expectKeys([
                "bucket_name", "visibility", "allowed_users", "owner", "metadata", "objects", "is_truncated",
                "returned_items",
            ])
            #expect(one.text.contains(#""objects":[{"object_name":"a\u003cb","size_bytes":5,"last_modified":""#))
            try await api.send(.delete, target + "/photos").expect(204, "")
            for (method, path): (HTTPRequest.Method, String) in [
                (.delete, "/photos"), (.get, "/photos"), (.get, "/NO"), (.delete, "/..%2f"),
            ] {
                let answer = try await api.send(method, target + path).expect(404)
                #expect(answer.text.hasPrefix("The bucket '"))
            }
            try await api.send(.put, target, body: body(#"{"bucket_name":"photos"}"#)).expect(404)
        }
    }

    @Test(
        "what cannot be is answered with 400",
        arguments: [
            #"{}"#, #"{"bucket_name":""}"#, #"{"bucket_name":7}"#, #"{"bucket_name":"UPPER"}"#,
            #"{"bucket_name":"ab"}"#,
            #"{"bucket_name":"../etc"}"#, #"{"bucket_name":"good","visibility":"secret"}"#, #"[]"#, #"null"#,
        ]
    )
    func refused(text: String) async throws {
        try await APIFixture.run { api in
            for method in [HTTPRequest.Method.post, .put] {
                try await api.send(method, target, body: body(text)).expect(400)
            }
            #expect(try await api.cluster.objects.buckets().isEmpty)
        }
    }

    @Test("a bucket that a service uses is not removed")
    func used() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("cow", script: "true", input: ["inbox/x"])
            let answer = try await api.send(.delete, target + "/inbox").expect(403)
            #expect(answer.text.contains("cow"))
        }
    }

    @Test("objects come in pages")
    func paging() async throws {
        try await APIFixture.run { api in
            try await api.send(.post, target, body: body(#"{"bucket_name":"photos"}"#)).expect(201)
            let keys = (0..<75).map { "k/ü\($0 + 100)" }
            for key in keys { try await api.cluster.put("x", key, in: "photos") }
            var found: [String] = []
            var query = ""
            var sizes: [Int] = []
            while true {
                let answer = try await api.send(.get, target + "/photos" + query).expect(200).json()
                let names = try #require(answer["objects"]?.arrayValue).compactMap { $0["object_name"]?.stringValue }
                found += names
                sizes.append(names.count)
                #expect(answer["returned_items"]?.integerValue == Int64(names.count))
                guard answer["is_truncated"]?.boolValue == true else { break }
                query =
                    "?page="
                    + (try #require(answer["next_page"]?.stringValue)).replacing("+", with: "%2B").replacing(
                        "=", with: "%3D")
            }
            #expect(found == keys && sizes == [70, 5])
            let few = try await api.send(.get, target + "/photos?limit=2&prefix=k/").json()
            #expect(few["returned_items"]?.integerValue == 2)
            try await api.send(.get, target + "/photos?page=*").expect(400)
        }
    }

    @Test("presigned URLs: keys in order, method, and a signature that holds")
    func presign() async throws {
        try await APIFixture.run { api in
            try await api.send(.post, target, body: body(#"{"bucket_name":"photos"}"#)).expect(201)
            let path = target + "/photos/presign"
            let up = try await api.send(
                .post, path,
                body: body(
                    #"{"object_key":"/a b/ü.png/","operation":"upload","expires_in":60,"content_type":"image/png"}"#)
            ).expect(200)
            try up.expectKeys(["object_key", "operation", "method", "url", "expires_at", "headers"])
            let json = try up.json()
            #expect(json["object_key"]?.stringValue == "a b/ü.png" && json["method"]?.stringValue == "PUT")
            #expect(json["headers"]?["Content-Type"]?.stringValue == "image/png")
            let url = try #require(json["url"]?.stringValue)
            #expect(url.hasPrefix("http://127.0.0.1:9000/photos/a%20b/%C3%BC.png?"))
            for part in [
                "X-Amz-Algorithm=AWS4-HMAC-SHA256", "X-Amz-Expires=60", "X-Amz-Credential=access%2F",
                "X-Amz-Signature=",
            ] {
                #expect(url.contains(part), "\(url)")
            }
            let down = try await api.send(
                .post, path,
                body: body(#"{"object_key":"a","operation":"download","content_type":"text/csv","expires":120}"#)
            ).expect(200)
            try down.expectKeys(["object_key", "operation", "method", "url", "expires_at"])
            #expect(down.text.contains("response-content-type=text%2Fcsv") && down.text.contains("X-Amz-Expires=120"))
            #expect(
                try await api.send(.post, path, body: body(#"{"object_key":"a","operation":"download"}"#)).text
                    .contains("X-Amz-Expires=900"))
            for bad in [
                #"{"operation":"download"}"#, #"{"object_key":"//","operation":"download"}"#,
                #"{"object_key":"a","operation":"delete"}"#,
                #"{"object_key":"a"}"#, #"{"object_key":"a","operation":"upload","expires_in":604801}"#,
                #"{"object_key":"a","operation":"upload","expires_in":-1}"#, "{",
            ] {
                try await api.send(.post, path, body: body(bad)).expect(400)
            }
            try await api.send(
                .post, target + "/nobody/presign", body: body(#"{"object_key":"a","operation":"download"}"#)
            ).expect(404)
        }
    }
}
