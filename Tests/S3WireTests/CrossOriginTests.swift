import Model
import S3Wire
import Testing

@Suite struct CrossOriginTests {
    static func configuration(_ rules: String) throws -> CrossOriginConfiguration {
        try CrossOriginConfiguration(parsing: Array("<CORSConfiguration>\(rules)</CORSConfiguration>".utf8))
    }

    static let rules = """
        <CORSRule><ID>first</ID><AllowedOrigin>https://a.example</AllowedOrigin>
        <AllowedOrigin>https://*.b.example</AllowedOrigin><AllowedMethod>PUT</AllowedMethod>
        <AllowedMethod>DELETE</AllowedMethod><AllowedHeader>x-amz-*</AllowedHeader>
        <AllowedHeader>Content-Type</AllowedHeader><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>30</MaxAgeSeconds>
        </CORSRule><CORSRule><AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod></CORSRule>
        """

    @Test(
        arguments: [
            ("https://a.example", "PUT", [], "https://a.example"), ("https://a.example", "GET", [], "*"),
            ("https://x.b.example", "DELETE", ["X-Amz-Date", "content-type"], "https://x.b.example"),
            ("https://b.example", "DELETE", [], nil), ("http://a.example", "PUT", [], nil),
            ("https://a.example", "PUT", ["authorization"], nil), ("https://a.example.evil", "PUT", [], nil),
            ("https://a.example", "POST", [], nil), ("null", "GET", [], "*"), ("", "GET", [], "*"),
            ("https://a.example", "GET", ["x-any"], nil), ("https://a.example", "put", [], nil),
        ] as [(String, String, [String], String?)])
    func grants(origin: String, method: String, headers: [String], granted: String?) throws {
        let configuration = try Self.configuration(Self.rules)
        #expect(configuration.grant(origin: origin, method: method, headers: headers)?.origin == granted)
    }

    @Test func readsItsOwnDocument() throws {
        let configuration = try Self.configuration(Self.rules)
        #expect(try CrossOriginConfiguration(parsing: configuration.xml) == configuration)
        #expect(configuration.rules[0].maximumAge == 30)
        #expect(configuration.rules[0].exposedHeaders == ["ETag"])
    }

    static let good = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"

    @Test(arguments: [
        ("", S3ErrorCode.malformedXML), ("<CORSRule/>", .malformedXML), ("<Rule>\(good)</Rule>", .malformedXML),
        ("<CORSRule><AllowedOrigin>*</AllowedOrigin></CORSRule>", .malformedXML),
        ("<CORSRule><AllowedMethod>GET</AllowedMethod></CORSRule>", .malformedXML),
        ("<CORSRule>\(good)<Extra/></CORSRule>", .malformedXML),
        ("<CORSRule>\(good)<MaxAgeSeconds>-1</MaxAgeSeconds></CORSRule>", .malformedXML),
        ("<CORSRule>\(good)<MaxAgeSeconds>soon</MaxAgeSeconds></CORSRule>", .malformedXML),
        ("<CORSRule>\(good)<ID>a</ID><ID>b</ID></CORSRule>", .malformedXML),
        ("<CORSRule>\(good)<ID>\(String(repeating: "a", count: 256))</ID></CORSRule>", .malformedXML),
        ("<CORSRule>\(good)<AllowedMethod>OPTIONS</AllowedMethod></CORSRule>", .invalidRequest),
        ("<CORSRule>\(good)<AllowedMethod>get</AllowedMethod></CORSRule>", .invalidRequest),
        ("<CORSRule>\(good)<AllowedOrigin>*.*</AllowedOrigin></CORSRule>", .invalidRequest),
        ("<CORSRule>\(good)<AllowedHeader>*x*</AllowedHeader></CORSRule>", .invalidRequest),
        ("<CORSRule>\(good)<ExposeHeader>*</ExposeHeader></CORSRule>", .invalidRequest),
        ("<CORSRule>\(good)<ExposeHeader>a&#10;b: c</ExposeHeader></CORSRule>", .invalidRequest),
        (String(repeating: "<CORSRule>\(good)</CORSRule>", count: 101), .malformedXML),
    ])
    func refuses(rules: String, code: S3ErrorCode) {
        let error = #expect(throws: S3Error.self) { _ = try Self.configuration(rules) }
        #expect(error?.code == code)
    }

    @Test func takesAHundredRules() throws {
        let rules = String(repeating: "<CORSRule>\(Self.good)</CORSRule>", count: 100)
        #expect(try Self.configuration(rules).rules.count == 100)
        let long = String(repeating: " ", count: 64 << 10)
        #expect(throws: S3Error.self) { _ = try Self.configuration("\(rules)\(long)") }
    }
}

@Suite struct VirtualHostTests {
    static let hosts = VirtualHosts(["localhost", "s3.localhost", "S3.Example.org"])

    @Test(arguments: [
        ("localhost", nil), ("localhost:9000", nil), ("s3.localhost", nil), ("S3.LOCALHOST:9000", nil),
        ("bucket.localhost", "bucket"), ("bucket.s3.localhost:9000", "bucket"), ("Bucket.S3.localhost", "bucket"),
        ("a.b.c.s3.localhost", "a.b.c"), ("my.bucket.s3.example.org.", "my.bucket"), ("example.org", nil),
        ("bucket.example.org", nil), ("mylocalhost", nil), (".localhost", nil), ("127.0.0.1", nil), ("[::1]:9000", nil),
        ("", nil), (":", nil), (".", nil), ("bucket.localhost:99x", nil), ("bucket.localhost:", "bucket"),
        ("a b.localhost", nil), ("b\u{FC}cket.localhost", nil), ("bucket/x.localhost", nil),
        (
            "under_score.localhost",
            "under_score"
        ), ("..localhost", "."), ("bucket.localhost.evil", nil), ("localhost.", nil),
        ("x@bucket.localhost", nil), ("\(String(repeating: "a", count: 300)).localhost", nil),
    ])
    func findsBuckets(host: String, bucket: String?) { #expect(Self.hosts.bucket(inHost: host) == bucket) }

    @Test func isOffWithoutDomains() { #expect(VirtualHosts().bucket(inHost: "bucket.localhost") == nil) }

    @Test(arguments: [
        ("/", S3Path.bucket("b.c")), ("/a%20b/", .object(bucket: "b.c", key: "a b/")),
        ("//", .object(bucket: "b.c", key: "/")), ("/b.c/k", .object(bucket: "b.c", key: "b.c/k")),
    ])
    func makesPaths(path: String, wanted: S3Path) throws {
        let request = try ReceivedRequest(method: "GET", target: path, headers: [], virtualBucket: "b.c")
        #expect(try S3Path(of: request) == wanted)
    }

    @Test(arguments: ["", "*", "/%zz", "/%ff", "http://x/"]) func refusesPaths(path: String) throws {
        let request = try ReceivedRequest(method: "GET", target: path, headers: [], virtualBucket: "b")
        #expect(throws: S3Error.self) { _ = try S3Path(of: request) }
    }
}
