import AsyncHTTPClient
import Model
import Testing

@testable import Providers

@Suite struct WebDAVEndpointTests {
    @Test(arguments: [
        ("dav.example.org", "https://dav.example.org/a%20b/%C3%A9", "https://dav.example.org"),
        ("DAV.example.org:2880", "https://dav.example.org:2880/a%20b/%C3%A9", "https://dav.example.org:2880"),
        (
            "https://dav.example.org:443/", "https://dav.example.org:443/a%20b/%C3%A9",
            "https://dav.example.org"
        ),
        ("http://127.0.0.1:80/x/y/", "http://127.0.0.1:80/x/y/a%20b/%C3%A9", "http://127.0.0.1"),
        ("HTTPS://[::1]:8443", "https://[::1]:8443/a%20b/%C3%A9", "https://[::1]:8443"),
        (
            "cloud.example.org/remote.php/dav", "https://cloud.example.org/remote.php/dav/a%20b/%C3%A9",
            "https://cloud.example.org"
        ),
    ])
    func reads(hostname: String, url: String, origin: String) throws {
        let endpoint = try WebDAVEndpoint(hostname)
        #expect(endpoint.url(["a b", "\u{E9}"]) == url)
        #expect(endpoint.origin == origin)
    }

    @Test(arguments: [
        "", "/", "https://", "ftp://x", "://x", "user@host", "https://user:pass@host", "host:0", "host:70000",
        "host:", "host:x", "a b",
        "host?x=1", "host#x", "host/../x", "host/./x", "[::1", "[::1]x", "[zz]", "höst", "host\r\nX: y",
        "ho\u{0}st", "host\\x",
        String(repeating: "a", count: 300), String(repeating: "/", count: 100_000),
    ])
    func refuses(hostname: String) {
        let error = #expect(throws: ProviderError.self) { try WebDAVEndpoint(hostname) }
        #expect(error?.code == .invalidConfiguration)
        #expect((error?.message.utf8.count ?? 0) < 500)
    }

    @Test func endsFoldersWithASlash() throws {
        let endpoint = try WebDAVEndpoint("h")
        #expect(endpoint.url([], isFolder: true) == "https://h/")
        #expect(endpoint.url(["a"], isFolder: true) == "https://h/a/")
    }
}

@Suite struct WebDAVLocationTests {
    private let start = WebDAVLocation(url: "https://h:1/a/b?x=/y", origin: "https://h:1")

    @Test(arguments: [
        ("/c?t=1", "https://h:1/c?t=1", "https://h:1"),
        ("https://pool:2/c", "https://pool:2/c", "https://pool:2"),
        ("https://H:1/c?u=http://x/", "https://H:1/c?u=http://x/", "https://h:1"),
    ])
    func follows(location: String, url: String, origin: String) throws {
        #expect(try start.following(location, provider: "p") == WebDAVLocation(url: url, origin: origin))
    }

    @Test(arguments: [
        "", "c", "//other/c", "http://pool/c", "ftp://x/y", "https://u:p@h/x", "https://h", "javascript:x",
        "https:///x",
    ])
    func refuses(location: String) {
        let error = #expect(throws: ProviderError.self) { try start.following(location, provider: "p") }
        #expect(error?.code == .refused)
    }

    @Test func letsEncryptionBeGivenUpOnlyWhereThereIsNone() throws {
        let plain = WebDAVLocation(url: "http://h/a", origin: "http://h")
        #expect(try plain.following("http://pool/c", provider: "p").origin == "http://pool")
    }
}

@Suite struct ResultPathTests {
    @Test(arguments: [
        ("bucket/folder", "x", ["bucket", "folder", "x"]), ("/b//f/", "a/x", ["b", "f", "a", "x"]),
        ("", "x", ["x"]),
        ("b", "..x", ["b", "..x"]), ("b", "...", ["b", "..."]), ("b", "a\\b", ["b", "a\\b"]),
        ("b", "%2e%2e", ["b", "%2e%2e"]),
    ])
    func joins(path: String, name: String, parts: [String]) throws {
        #expect(try ResultPath(path: path, name: name).parts == parts)
    }

    @Test(arguments: [
        ("b", ""), ("b", "."), ("b", ".."), ("b", "../x"), ("b", "x/.."), ("b", "/x"), ("b", "x/"),
        ("b", "a//b"), ("b", "a\u{0}"), ("b", "a\r\n"),
        ("b", "..\\x"), ("b", "x\\..\\y"), ("b/..", "x"), ("./b", "x"), ("b\n", "x"),
        ("b", String(repeating: "x", count: 5000)),
        (String(repeating: "b/", count: 50_000), "x"),
    ])
    func refuses(path: String, name: String) {
        let error = #expect(throws: ProviderError.self) { try ResultPath(path: path, name: name) }
        #expect(error?.code == .invalidConfiguration)
        #expect((error?.message.utf8.count ?? 0) < 6000)
    }
}

@Suite struct ProviderFactoryTests {
    @Test func makesWhatIsDeclaredWithoutAskingIt() async throws {
        var declared = StorageProviders()
        declared.minio["m"] = .init(endpoint: "http://192.0.2.1:9000", accessKey: "a", secretKey: "s")
        declared.s3["aws"] = .init(region: "eu-west-1", accessKey: "a", secretKey: "s")
        declared.webdav["w"] = .init(hostname: "192.0.2.1", login: "u", password: "p")
        let providers = declared
        try await withHTTPClient { client in
            for id in providers.all {
                let provider = try ProviderFactory.make(for: id, in: providers, httpClient: client)
                #expect(provider.name == id.description)
            }
        }
    }

    @Test func saysWhatIsMissing() async throws {
        var declared = StorageProviders()
        declared.minio["a"] = .init(accessKey: "a", secretKey: "s")
        declared.minio["b"] = .init(endpoint: "http://h", secretKey: "s")
        declared.minio["c"] = .init(endpoint: "not an address", accessKey: "a", secretKey: "s")
        declared.s3["d"] = .init(region: "x/../y", accessKey: "a", secretKey: "s")
        declared.webdav["e"] = .init(login: "u", password: "p")
        declared.webdav["f"] = .init(hostname: "h", login: "u")
        declared.onedata["g"] = .init(host: "h", token: "t", space: "s")
        declared.rucio["h"] = .init()
        let cases: [(ProviderID, String)] = [
            (ProviderID(.minio, "a"), "endpoint"), (ProviderID(.minio, "b"), "access_key"),
            (ProviderID(.minio, "c"), "address"),
            (ProviderID(.s3, "d"), "region"), (ProviderID(.webdav, "e"), "hostname"),
            (ProviderID(.webdav, "f"), "password"),
            (ProviderID(.onedata, "g"), "onedata"), (ProviderID(.rucio, "h"), "rucio"),
            (ProviderID(.s3, "nobody"), "not declared"),
            (.clusterStore, "own store"),
        ]
        let providers = declared
        try await withHTTPClient { client in
            for (id, word) in cases {
                let error = #expect(throws: ProviderError.self, "\(id)") {
                    try ProviderFactory.make(for: id, in: providers, httpClient: client)
                }
                #expect(error?.code == .invalidConfiguration)
                #expect(error?.message.contains(word) == true, "\(error?.message ?? "")")
            }
        }
    }
}
