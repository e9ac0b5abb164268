import Testing

@testable import Model

struct StorageIOTests {
    @Test(
        arguments: [
            ([], [], "any/thing", true), (["s_"], [], "s_1.png", true), (["s_"], [], "x_1.png", false),
            ([], [".png"], "a.png", true),
            ([], [".png"], "a.jpg", false), (["s_", "t_"], [".png", ".jpg"], "t_1.jpg", true),
            (["s_"], [".png"], "s_1.jpg", false),
            (["s_"], [".png"], "x.png", false), (["dir/"], [], "dir/s_1", true),
            (["s_"], [], "dir/s_1", false), (["abc"], ["bcd"], "abcd", true),
            (["long-prefix"], [], "lo", false), ([], ["\u{E9}"], "cafe\u{301}", false),
            ([], ["\u{E9}"], "caf\u{E9}", true),
            ([], ["\n"], "a\r\n", true),
        ] as [([String], [String], String, Bool)]
    )
    func accepts(_ prefixes: [String], _ suffixes: [String], _ name: String, _ result: Bool) {
        #expect(
            StorageIO(path: "b/f", prefixes: prefixes, suffixes: suffixes).accepts(relativeName: name)
                == result
        )
    }

    @Test(arguments: [
        ("thumbs/incoming", "thumbs", "incoming", "incoming/", "incoming/x/y.png"),
        ("thumbs/a/b", "thumbs", "a/b", "a/b/", "a/b/x/y.png"),
        ("thumbs", "thumbs", "", "", "x/y.png"), ("thumbs//a", "thumbs", "a", "a/", "a/x/y.png"),
    ])
    func splits(_ path: String, _ bucket: String, _ folder: String, _ prefix: String, _ key: String) {
        let entry = StorageIO(path: path)
        #expect((entry.bucket, entry.folder, entry.keyPrefix) == (bucket, folder, prefix))
        #expect(entry.key(for: "x/y.png") == key)
        #expect(entry.bucketName?.text == bucket)
    }

    @Test(arguments: [
        ("thumbs", "incoming/a.png", true), ("thumbs", "incoming/sub/a.png", true),
        ("thumbs", "incoming/", false),
        ("thumbs", "incoming/sub/", false), ("thumbs", "incoming", false),
        ("thumbs", "incoming2/a.png", false), ("other", "incoming/a.png", false),
        ("thumbs", "Incoming/a.png", false), ("thumbs", "x/incoming/a.png", false),
    ])
    func matches(_ bucket: String, _ key: String, _ result: Bool) throws {
        let input = StorageIO(path: "thumbs/incoming")
        #expect(try input.matches(bucket: BucketName(bucket), key: ObjectKey(key)) == result)
        let foreign = StorageIO(provider: ProviderID(.minio, "cloud"), path: "thumbs/incoming")
        #expect(try !foreign.matches(bucket: BucketName(bucket), key: ObjectKey(key)))
    }

    @Test func wholeBucketMatches() throws {
        let input = StorageIO(path: "thumbs")
        #expect(try input.matches(bucket: BucketName("thumbs"), key: ObjectKey("a")))
        #expect(try !input.matches(bucket: BucketName("thumbs"), key: ObjectKey("a/")))
    }

    @Test func definitionsFindTheirInputsAndOutputs() throws {
        var definition = ServiceDefinition(name: try ServiceName("svc"), image: "", script: "s")
        definition.input = [
            StorageIO(path: "svc/in"), StorageIO(path: "svc/in/deep"), StorageIO(path: "other/in"),
        ]
        definition.output = [
            StorageIO(path: "svc/out", suffixes: [".png"]),
            StorageIO(provider: ProviderID(.s3, "x"), path: "far/out"),
        ]
        let bucket = try BucketName("svc")
        #expect(definition.inputs(matching: bucket, key: try ObjectKey("in/deep/a")).count == 2)
        #expect(definition.inputs(matching: bucket, key: try ObjectKey("out/a")).isEmpty)
        #expect(definition.outputs(accepting: "a.png").count == 2)
        #expect(definition.outputs(accepting: "a.txt").count == 1)
        #expect(definition.ownBuckets.map(\.text) == ["svc", "other"])
    }

    @Test(arguments: [
        ("minio", "minio.default"), ("minio.default", "minio.default"), ("MinIO.Cloud", "minio.Cloud"),
        ("s3.a.b", "s3.a.b"),
        ("webdav.dcache", "webdav.dcache"), ("rucio", "rucio.default"), ("ONEDATA.x", "onedata.x"),
    ])
    func providerNames(_ text: String, _ canonical: String) {
        #expect(ProviderID(text)?.description == canonical)
    }

    @Test(arguments: ["", ".", "minio.", ".default", "ftp", "ftp.x", " minio"])
    func noProviderNames(_ text: String) { #expect(ProviderID(text) == nil) }

    @Test func providersAreFound() {
        var providers = StorageProviders()
        providers.minio["cloud"] = .init(endpoint: "https://c")
        providers.s3["x"] = .init(region: "r")
        providers.webdav["w"] = .init()
        #expect(providers.all.map(\.description) == ["minio.cloud", "s3.x", "webdav.w"])
        #expect(providers.objectStore(ProviderID(.minio, "cloud"))?.endpoint == "https://c")
        #expect(providers.objectStore(ProviderID(.s3, "x"))?.verify == true)
        #expect(
            providers.objectStore(ProviderID(.webdav, "w")) == nil
                && providers.objectStore(.clusterStore) == nil
        )
        #expect(providers.contains(.clusterStore) && !providers.contains(ProviderID(.s3, "y")))
        #expect(!providers.isEmpty && StorageProviders().isEmpty)
    }
}
