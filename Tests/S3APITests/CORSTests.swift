import HTTPTypes
import Model
import S3Wire
import Testing

@Suite struct CORSTests {
    private static let document = Array(
        """
        <CORSConfiguration><CORSRule><AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>
        <AllowedMethod>GET</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader><ExposeHeader>ETag</ExposeHeader>
        <MaxAgeSeconds>30</MaxAgeSeconds></CORSRule><CORSRule><AllowedOrigin>*</AllowedOrigin>
        <AllowedMethod>HEAD</AllowedMethod></CORSRule></CORSConfiguration>
        """.utf8)

    private func preflight(_ s3: S3Fixture, _ path: String, _ headers: KeyValuePairs<String, String>) async throws
        -> Answer
    { try await s3.sendUnsigned("OPTIONS", path, headers: headers.map { ($0.key, $0.value) }) }

    @Test func keepsRules() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("GET", "/bucket", ["cors": ""]).expect(404, .noSuchCORSConfiguration)
            try await s3.send("PUT", "/bucket", ["cors": ""], body: Self.document).expect(200)
            let got = try await s3.send("GET", "/bucket", ["cors": ""]).expect(200)
            let configuration = try CrossOriginConfiguration(parsing: Self.document)
            #expect(try CrossOriginConfiguration(parsing: got.body) == configuration)
            try await s3.send("PUT", "/bucket", ["cors": ""], body: Array("<x/>".utf8)).expect(400, .malformedXML)
            try await s3.send("PUT", "/bucket", ["cors": ""]).expect(400, .missingRequestBody)
            try await s3.send("PUT", "/missing", ["cors": ""], body: Self.document).expect(404, .noSuchBucket)
            try await s3.sendUnsigned("PUT", "/bucket?cors", body: Self.document).expect(403, .accessDenied)
            try await s3.send("DELETE", "/bucket", ["cors": ""]).expect(204)
            try await s3.send("GET", "/bucket", ["cors": ""]).expect(404, .noSuchCORSConfiguration)
        }
    }

    @Test func answersPreflightsByRules() async throws {
        try await S3Fixture.run { s3 in
            let page: KeyValuePairs = [
                "Origin": "https://a.example", "Access-Control-Request-Method": "PUT",
                "Access-Control-Request-Headers": "X-Amz-Date, x-amz-acl",
            ]
            for path in ["/bucket/key", "/missing/key", "/", "/%zz"] {
                let open = try await preflight(s3, path, page).expect(200)
                #expect(open.header("access-control-allow-origin") == "*")
                #expect(open.header("access-control-allow-headers") == "X-Amz-Date, x-amz-acl")
            }
            try await s3.send("PUT", "/bucket", ["cors": ""], body: Self.document).expect(200)
            let allowed = try await preflight(s3, "/bucket/key", page).expect(200)
            #expect(allowed.header("access-control-allow-origin") == "https://a.example")
            #expect(allowed.header("access-control-allow-methods") == "PUT, GET")
            #expect(allowed.header("access-control-allow-headers") == "x-amz-date, x-amz-acl")
            #expect(allowed.header("access-control-allow-credentials") == "true")
            #expect(allowed.header("access-control-max-age") == "30")
            #expect(allowed.header("vary")?.hasPrefix("Origin") == true)
            let refused: [KeyValuePairs<String, String>] = [
                ["Origin": "https://b.example", "Access-Control-Request-Method": "PUT"],
                ["Origin": "https://a.example", "Access-Control-Request-Method": "DELETE"],
                [
                    "Origin": "https://a.example", "Access-Control-Request-Method": "PUT",
                    "Access-Control-Request-Headers": "authorization",
                ],
            ]
            for headers in refused {
                let answer = try await preflight(s3, "/bucket/key", headers).expect(403, .accessForbidden)
                #expect(answer.header("access-control-allow-origin") == nil)
            }
            try await preflight(s3, "/bucket", ["Access-Control-Request-Method": "PUT"]).expect(400, .badRequest)
            try await preflight(s3, "/bucket", ["Origin": "https://a.example"]).expect(400, .badRequest)
        }
    }

    @Test func marksAnswersByRules() async throws {
        try await S3Fixture.run { s3 in
            let open = try await s3.send("PUT", "/bucket/key", headers: ["Origin": "https://b.example"], body: [1])
            #expect(open.header("access-control-allow-origin") == "*")
            try await s3.send("PUT", "/bucket", ["cors": ""], body: Self.document).expect(200)
            let own = try await s3.send("GET", "/bucket/key", headers: ["Origin": "https://a.example"]).expect(200)
            #expect(own.header("access-control-allow-origin") == "https://a.example")
            #expect(own.header("access-control-expose-headers") == "ETag")
            #expect(own.header("vary")?.hasPrefix("Origin") == true)
            let other = try await s3.send("GET", "/bucket/key", headers: ["Origin": "https://b.example"]).expect(200)
            #expect(other.header("access-control-allow-origin") == nil)
            #expect(other.header("vary")?.hasPrefix("Origin") == true)
            let head = try await s3.send("HEAD", "/bucket/key", headers: ["Origin": "https://b.example"]).expect(200)
            #expect(head.header("access-control-allow-origin") == "*")
            #expect(head.header("access-control-allow-credentials") == nil)
            // An error is for the page to read as well, and so not for another.
            let origin = [(name: "Origin", value: "https://a.example")]
            let denied = try await s3.sendUnsigned("GET", "/bucket/key", headers: origin).expect(403, .accessDenied)
            #expect(denied.header("access-control-allow-origin") == "https://a.example")
            let none = try await s3.send("GET", "/bucket/key").expect(200)
            #expect(none.header("access-control-allow-origin") == nil)
        }
    }
}
