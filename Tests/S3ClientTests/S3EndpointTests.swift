import S3Client
import Testing

struct S3EndpointTests {
    @Test(arguments: [
        ("http://127.0.0.1:9000", false, "127.0.0.1:9000", ""),
        ("http://127.0.0.1:9000/", false, "127.0.0.1:9000", ""),
        ("https://S3.Example.org", true, "s3.example.org", ""),
        ("https://s3.example.org:443", true, "s3.example.org", ""),
        ("http://s3.example.org:443", false, "s3.example.org:443", ""),
        ("http://[::1]:9000", false, "[::1]:9000", ""),
        ("https://host/store/", true, "host", "/store"),
    ])
    func parses(text: String, isSecure: Bool, authority: String, basePath: String) throws {
        let endpoint = try S3Endpoint(text)
        #expect(endpoint.isSecure == isSecure)
        #expect(endpoint.authority == authority)
        #expect(endpoint.basePath == basePath)
    }

    @Test(arguments: [
        "", "127.0.0.1:9000", "ftp://host", "http://", "http:///path", "http://host:0", "http://host:99999",
        "http://host:port", "http://a b", "http://user@host", "http://[::1", "http://host/a?b", "http://host/\u{7}",
        "http://:9000",
    ])
    func refuses(text: String) {
        #expect { try S3Endpoint(text) } throws: { ($0 as? S3ClientError)?.code == .invalid }
    }
}
