import Glibc
import Model
import Testing

@testable import YAMLDocuments

/// The examples of the language's description, from text to checked definitions.
struct FDLExampleTests {
    private static func definitions(_ text: String) throws -> [ServiceDefinition] {
        let document = try FDLDocument(YAMLDocument.parse(text))
        return try document.services.map { service in
            try document.definition(of: service) { path in "# \(path)\n" }
        }
    }

    private static func only(_ text: String) throws -> ServiceDefinition {
        let definitions = try definitions(text)
        #expect(definitions.count == 1)
        return try #require(definitions.first)
    }

    @Test func minimal() throws {
        let service = try Self.only(FDLExamples.minimal)
        #expect(service.name.text == "shout" && service.image == "docker.io/library/busybox:1.36")
        #expect(service.cpuLimit == MilliCPU(500) && service.memoryLimit == .mebibytes(128))
        #expect(service.logLevel == .critical && service.script == "# shout.sh\n")
        #expect(service.unsupportedFields().isEmpty)
        #expect(
            try FDLDocument(YAMLDocument.parse(FDLExamples.minimal)).services[0].cluster
                == FDLDocument.defaultCluster
        )
    }

    @Test func events() throws {
        let service = try Self.only(FDLExamples.events)
        #expect(service.input == [StorageIO(path: "thumbs/incoming")])
        #expect(
            service.output == [
                StorageIO(path: "thumbs/small", prefixes: ["s_"], suffixes: [".png"]),
                StorageIO(
                    provider: ProviderID(.s3, "archive"),
                    path: "acme-archive/thumbs",
                    suffixes: [".json"]
                ),
            ]
        )
        #expect(service.storageProviders.s3["archive"]?.region == "eu-west-1")
        #expect(
            service.environment.variables == ["SIZE": "256"]
                && service.environment.secrets == ["API_KEY": "do-not-log"]
        )
        #expect(service.labels == ["team": "vision"] && service.annotations == ["example.org/cost": "42"])
        #expect(service.visibility == .restricted && service.isolationLevel == .user)
        #expect(service.synchronous == .init(minimumScale: 1, maximumScale: 4))
        #expect(
            service.unsupportedFields().map { $0.prefix { $0 != ":" } } == [
                "ephemeral_storage_request", "image_pull_secrets", "isolation_level",
            ]
        )
    }

    @Test func mounts() throws {
        let service = try Self.only(FDLExamples.mounts)
        #expect(service.mount == StorageIO(path: "datasets", options: "--vfs-cache-mode full"))
        #expect(service.volume?.name == "trainer" && service.volume?.lifecyclePolicy == "retain")
        #expect(service.memoryLimit == ByteCount(16 << 30) && service.enableGPU && service.imagePrefetch)
        #expect(
            service.unsupportedFields().map { $0.prefix { $0 != ":" } } == ["enable_gpu"]
        )
    }

    @Test func exposed() throws {
        let service = try Self.only(FDLExamples.exposed)
        #expect(
            service.expose.ports == [8888, 9090] && service.expose.cpuThreshold == 90
                && service.expose.setAuth
        )
        #expect(service.expose.healthPath == "/api" && service.expose.rewriteTarget)
        #expect(service.mode == .server && service.server?.port == 8888)
        #expect(service.server?.healthPath == "/system/services/notebook/exposed/api")
        #expect(service.unsupportedFields().isEmpty)
    }

    @Test func modes() throws {
        let services = try Self.definitions(FDLExamples.modes)
        #expect(services.map(\.mode) == [.resident, .server, .script])
        #expect(services.map(\.minimumInstances) == [1, 2, 0])
        #expect(services.map(\.maximumInstances) == [4, nil, nil])
        #expect(services[0].instances.idle == .seconds(600) && services[0].instances.maximumAge == .seconds(86_400))
        #expect(services[0].instances.batch == .init(files: 32, wait: .milliseconds(20)))
        #expect(services[0].instances.concurrency == 2 && services[0].instances.maximumInvocations == 1000)
        #expect(services[1].server == FunctionServer(port: 9000, healthPath: "/health"))
        #expect(services[2].instances.isFresh && services.flatMap { $0.unsupportedFields() }.isEmpty)
    }

    /// Those that docs/functions.md tells people to try.
    @Test func functions() throws {
        let folder = #filePath.split(separator: "/").dropLast(3).map { "/\($0)" }.joined() + "/Examples/functions/"
        let document = try FDLDocument(YAMLDocument.parse(Self.text(folder + "functions.yaml")))
        let services = try document.services.map { service in
            try document.definition(of: service) { path in try Self.text(folder + path) }
        }
        #expect(services.map(\.mode) == [.script, .resident, .server])
        #expect(services.map(\.sandbox) == [.process, .process, .process])
        #expect(services.allSatisfy { $0.unsupportedFields().isEmpty && $0.script.count > 20 })
    }

    private static func text(_ path: String) throws -> String {
        let file = try #require(fopen(path, "r"), "\(path)")
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 65_536)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }

    @Test func storages() throws {
        let service = try Self.only(FDLExamples.storages)
        #expect(service.input.map(\.provider.description) == ["webdav.dcache", "rucio.r1"])
        #expect(service.input.map(\.path) == ["pnfs/site/in", "ignored"])
        #expect(service.storageProviders.webdav["dcache"]?.hostname == "dcache.example.org:2880")
        #expect(service.storageProviders.rucio["r1"]?.storageElement == "SITE-DISK")
        #expect(service.storageProviders.onedata["hub"]?.space == "demo")
        #expect(
            service.unsupportedFields().map { $0.prefix { $0 != ":" } } == [
                "input[0].storage_provider", "input[1].storage_provider", "output[0].storage_provider",
            ]
        )
    }

    @Test func federation() throws {
        let service = try Self.only(FDLExamples.federation)
        let federation = try #require(service.federation)
        #expect(
            federation.topology == .star && federation.delegation == "load-based"
                && federation.groupID == "detect"
        )
        #expect(federation.members.map(\.kind) == [.oscar, .endpoint])
        #expect(federation.members.last?.headers == ["X-Key": "abc"])
        #expect(service.clusters["cloud"]?.endpoint == "https://cloud.example.org")
        #expect(service.unsupportedFields().map { $0.prefix { $0 != ":" } } == ["federation"])
    }

    @Test func kserve() throws {
        let service = try Self.only(FDLExamples.kserve)
        #expect(
            service.kserve?.kind == .languageModel
                && service.kserve?.runtimeImage == "ghcr.io/acme/vllm-cpu:1"
        )
        #expect(
            service.kserve?.environment == ["VLLM_CPU_KVCACHE_SPACE": "1"] && service.kserve?.setAuth == true
        )
        #expect(service.alpine && service.unsupportedFields().map { $0.prefix { $0 != ":" } } == ["kserve"])
    }

    @Test(arguments: [
        FDLExamples.minimal, FDLExamples.events, FDLExamples.mounts, FDLExamples.exposed,
        FDLExamples.modes, FDLExamples.storages, FDLExamples.federation,
        FDLExamples.kserve,
    ])
    func areKept(_ text: String) throws {
        let tree = try YAMLDocument.parse(text)
        #expect(try YAMLDocument.parse(YAMLDocument.text(of: tree)) == tree)
        for service in try Self.definitions(text) {
            #expect(try ServiceDefinition(stored: JSONValue.parse(service.storedJSON().text())) == service)
        }
    }

    @Test func unquotedValuesAreTakenAsMeant() throws {
        let service = try Self.only(
            """
            functions:
              oscar:
              - lab:
                  name: loose
                  image: i
                  cpu: 1.0
                  memory: 1073741824
                  script: s.sh
                  timeout: 90
                  environment:
                    variables: {SIZE: 256, DEBUG: true, MODE: 0755, WHEN: 2026-01-01, ANSWER: yes}
                  storage_providers: {minio: {far: {endpoint: "http://h", access_key: 12345, secret_key: 0x1F}}}
                  output: [{storage_provider: minio.far, path: abc/out}]
            """
        )
        #expect(service.cpuLimit == MilliCPU(1000) && service.memoryLimit == ByteCount(1 << 30))
        #expect(
            service.environment.variables
                == ["SIZE": "256", "DEBUG": "true", "MODE": "0755", "WHEN": "2026-01-01", "ANSWER": "yes"]
        )
        #expect(service.storageProviders.minio["far"]?.accessKey == "12345")
        #expect(service.storageProviders.minio["far"]?.secretKey == "0x1F")
        #expect(service.timeout == .seconds(90))
    }
}
