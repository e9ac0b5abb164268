import TestKit
import Testing

@testable import Model

/// Parses a service whose required fields are there, with more members in JSON's notation.
private func service(_ more: String, sandbox: SandboxKind = .container) throws -> ServiceDefinition {
    let text = #"{"name":"svc","image":"busybox","script":"true\n""# + (more.isEmpty ? "" : "," + more) + "}"
    return try ServiceDefinition.parse(JSONValue.parse(text), defaultSandbox: sandbox)
}

private let clusterStore = ServiceDefinition.ClusterStore(
    endpoint: "http://127.0.0.1:9000",
    verify: false,
    region: "us-east-1"
)

struct ServiceParseTests {
    @Test func defaults() throws {
        let definition = try service("")
        #expect(definition.cpuLimit == MilliCPU(200))
        #expect(definition.memoryLimit == .mebibytes(256))
        #expect(definition.logLevel == .info)
        #expect(definition.visibility == .private)
        #expect(definition.isolationLevel == .unset)
        #expect(definition.sandbox == nil && definition.timeout == nil && definition.mount == nil)
        #expect(definition.unsupportedFields().isEmpty)
    }

    @Test(arguments: [
        ("{}", "Name,Image,Script"), (#"{"name":"a","image":"b"}"#, "Script"),
        (#"{"name":"a","script":"b"}"#, "Image"),
        (#"{"image":" ","name":"a","script":"b"}"#, "Image"),
        (#"{"name":null,"image":"i","script":""}"#, "Name,Script"),
    ])
    func namesWhatIsMissing(_ text: String, _ missing: String) throws {
        let json = try JSONValue.parse(text)
        let error = #expect(throws: ServiceSpecificationError.self) { try ServiceDefinition.parse(json) }
        let sentences = missing.split(separator: ",").map {
            "Key: 'Service.\($0)' Error:Field validation for '\($0)' failed on the 'required' tag"
        }
        #expect(
            error?.message == "The service specification is not valid: " + sentences.joined(separator: "\n")
        )
        #expect(error?.code == .missing)
    }

    @Test func imageMayBeAbsentWithProcesses() throws {
        let json = try JSONValue.parse(#"{"name":"a","script":"b","sandbox":"process"}"#)
        #expect(try ServiceDefinition.parse(json).sandbox == .process)
        let plain = try JSONValue.parse(#"{"name":"a","script":"b"}"#)
        #expect(try ServiceDefinition.parse(plain, defaultSandbox: .process).image.isEmpty)
        let container = try JSONValue.parse(#"{"name":"a","script":"b","sandbox":"container"}"#)
        #expect(throws: ServiceSpecificationError.self) {
            try ServiceDefinition.parse(container, defaultSandbox: .process)
        }
    }

    /// Field by field: what is wrong, and which field the error names.
    @Test(arguments: [
        (#""name":"Bad_Name""#, "name"), (#""name":5"#, "name"), (#""image":{}"#, "image"),
        (#""script":["a"]"#, "script"),
        (#""cpu":"lots""#, "cpu"), (#""cpu":true"#, "cpu"), (#""cpu":"0""#, "cpu"), (#""cpu":"-1""#, "cpu"),
        (#""cpu":"1e30""#, "cpu"),
        (#""memory":"256MB""#, "memory"), (#""memory":[]"#, "memory"), (#""memory":0"#, "memory"),
        (#""total_cpu":"x""#, "total_cpu"), (#""total_cpu":"0.1""#, "total_cpu"),
        (#""total_memory":"255Mi""#, "total_memory"),
        (#""priority":"high""#, "priority"), (#""priority":101"#, "priority"), (#""priority":-101"#, "priority"),
        (#""priority":0.5"#, "priority"), (#""priority":1e400"#, "priority"),
        (#""priority":99999999999999999999"#, "priority"),
        (#""max_parallel":-1"#, "max_parallel"), (#""max_parallel":"2""#, "max_parallel"),
        (#""max_parallel":4294967296"#, "max_parallel"),
        (#""queue":10"#, "queue"), (#""queue":{"limit":-1}"#, "queue.limit"),
        (#""queue":{"limit":[1]}"#, "queue.limit"),
        (#""enable_gpu":"yes""#, "enable_gpu"), (#""alpine":1"#, "alpine"),
        (#""file_stage_in":"true""#, "file_stage_in"),
        (#""synchronous":5"#, "synchronous"), (#""synchronous":{"min_scale":"1"}"#, "synchronous.min_scale"),
        (#""synchronous":{"max_scale":-1}"#, "synchronous.max_scale"),
        (#""synchronous":{"max_scale":1.5}"#, "synchronous.max_scale"),
        (#""synchronous":{"max_scale":99999999999}"#, "synchronous.max_scale"),
        (#""log_level":3"#, "log_level"),
        (#""input":"x""#, "input"), (#""input":["x"]"#, "input[0]"),
        (#""input":[{"path":7}]"#, "input[0].path"),
        (#""input":[{"storage_provider":"ftp.x","path":"a"}]"#, "input[0].storage_provider"),
        (#""input":[{"storage_provider":"minio.","path":"a"}]"#, "input[0].storage_provider"),
        (#""input":[{"storage_provider":"minio","path":" / "}]"#, "input[0].path"),
        (
            #""input":[{"storage_provider":"s3.x","path":"a/b"}],"storage_providers":{"s3":{"x":{"access_key":"a","secret_key":"b"}}}"#,
            "input[0].storage_provider"
        ),
        (#""input":[{"path":"Bad_Bucket/in"}]"#, "input[0].path"),
        (#""output":[{"path":"a/b","prefix":{}}]"#, "output[0].prefix"),
        (#""output":[{"path":"a/b"}]"#, "output[0].path"),
        (#""output":[{"path":"abc/b","suffix":[[]]}]"#, "output[0].suffix[0]"),
        (#""output":[{"storage_provider":"s3.none","path":"abc/b"}]"#, "output[0].storage_provider"),
        (
            #""output":[{"storage_provider":"minio.c","path":"abc/b"}],"storage_providers":{"minio":{"c":{"endpoint":"http://h"}}}"#,
            "storage_providers.minio.c.access_key"
        ),
        (
            #""output":[{"storage_provider":"minio.c","path":"abc/b"}],"storage_providers":{"minio":{"c":{"endpoint":"h:9","access_key":"a","secret_key":"b"}}}"#,
            "storage_providers.minio.c.endpoint"
        ),
        (
            #""output":[{"storage_provider":"minio.c","path":"abc/b"}],"storage_providers":{"minio":{"c":{"verify":"no"}}}"#,
            "storage_providers.minio.c.verify"
        ),
        (#""storage_providers":[]"#, "storage_providers"),
        (#""storage_providers":{"s3":{"a":"b"}}"#, "storage_providers.s3.a"),
        (#""environment":[]"#, "environment"), (#""environment":{"variables":[1]}"#, "environment.variables"),
        (#""environment":{"variables":{"A":{}}}"#, "environment.variables.A"),
        (#""environment":{"variables":{"A=B":"1"}}"#, "environment.variables"),
        (#""environment":{"secrets":{"A":"\u0000"}}"#, "environment.secrets.A"),
        (#""environment":{"secrets":{"":"1"}}"#, "environment.secrets"),
        (#""labels":"x""#, "labels"), (#""allowed_users":{}"#, "allowed_users"),
        (#""allowed_users":[{}]"#, "allowed_users[0]"),
        (#""visibility":"secret""#, "visibility"), (#""isolation_level":"GROUP""#, "isolation_level"),
        (#""mount":{"storage_provider":"minio.default","path":"abc","options":"--x; rm"}"#, "mount.options"),
        (#""mount":{"storage_provider":"minio.default","path":"A"}"#, "mount.path"),
        (#""expose":{"api_port":"80"}"#, "expose.api_port"),
        (#""expose":{"api_port":[80,"x"]}"#, "expose.api_port[1]"),
        (#""expose":{"api_port":70000}"#, "expose.api_port"),
        (#""expose":{"api_port":[80],"nodePort":[1,2]}"#, "expose.nodePort"),
        (#""expose":{"api_port":80,"auth_type":"magic"}"#, "expose.auth_type"),
        (#""expose":{"probe_mode":"x"}"#, "expose.probe_mode"),
        (#""federation":{"topology":"ring"}"#, "federation.topology"),
        (#""federation":{"delegation":"x"}"#, "federation.delegation"),
        (#""federation":{"members":[{"type":"x"}]}"#, "federation.members[0].type"),
        (#""federation":{"members":[{}]}"#, "federation.members[0].type"),
        (#""volume":{"size":"1Gi"}"#, "volume.mount_path"), (#""volume":{"mount_path":"/m"}"#, "volume.name"),
        (#""volume":{"mount_path":"/oscar/bin","size":"1Gi"}"#, "volume.mount_path"),
        (#""volume":{"mount_path":"/m","size":"0"}"#, "volume.size"),
        (#""volume":{"mount_path":"/m","size":"1Gi","lifecycle_policy":"x"}"#, "volume.lifecycle_policy"),
        (#""kserve":{}"#, "kserve.type"), (#""kserve":{"type":"inference"}"#, "kserve.storage_uri"),
        (#""kserve":{"type":"inference","storage_uri":"u"}"#, "kserve.inference.model_format"),
        (
            #""kserve":{"type":"llm_inference","storage_uri":"u","inference":{"model_format":"m"}}"#,
            "kserve.inference"
        ),
        (#""sandbox":"vm""#, "sandbox"), (#""sandbox":1"#, "sandbox"), (#""timeout":"soon""#, "timeout"),
        (#""timeout":0"#, "timeout"),
        (#""timeout":-5"#, "timeout"), (#""timeout":1.5"#, "timeout"), (#""timeout":true"#, "timeout"),
        (#""clusters":{"c":3}"#, "clusters.c"),
    ])
    func refuses(_ more: String, _ field: String) throws {
        let error = #expect(throws: ServiceSpecificationError.self) { try service(more) }
        #expect(error?.field == field, "\(error?.message ?? "")")
        #expect(error?.message.isEmpty == false)
    }

    @Test(arguments: ["[]", "null", "5", "\"x\""])
    func refusesWhatIsNoObject(_ text: String) throws {
        let json = try JSONValue.parse(text)
        let error = #expect(throws: ServiceSpecificationError.self) { try ServiceDefinition.parse(json) }
        #expect(error?.code == .wrongType)
    }

    @Test func usesOSCARsWords() throws {
        func message(_ more: String) -> String? {
            #expect(throws: ServiceSpecificationError.self) { try service(more) }?.message
        }
        #expect(message(#""input":[{"path":""}]"#) == "input path cannot be empty")
        #expect(
            message(#""input":[{"storage_provider":"onedata.x","path":"a"}]"#)
                == "unrecognized input (valid inputs are MinIO and dCache)"
        )
        #expect(
            message(#""output":[{"storage_provider":"s3.x","path":"a"}]"#)
                == #"the StorageProvider "s3.x" is not defined"#
        )
        #expect(
            message(#""cpu":[]"#)
                == #"The service specification is not valid: cpu: must be a quantity such as "0.5" or "256Mi", not an array"#
        )
    }

    @Test func isLiberal() throws {
        let definition = try service(
            #"""
            "NAME":"ignored","Cpu":1.0,"memory":1073741824,"LOG_level":"debug","unknown":{"x":[1]},"token":"mine",
            "owner":"me","namespace":"n","bucket_list":["x"],"replicas":[],"delegation":"static","rescheduler_threshold":15,
            "input":{"storage_provider":"MinIO","path":" /in/ "},
            "output":[{"storage_provider":"minio.default","path":"/svc/out//","prefix":"a","suffix":[".png",null,""]},null],
            "environment":{"Variables":{"A":1,"B":true,"C":null,"D":"x"},"Secrets":null},"labels":null,"annotations":{"n":1.50},
            "expose":{"nodePort":0,"api_port":null},"mount":{"storage_provider":"","path":""},"clusters":null,
            "allowed_users":[" a ","","b"],"visibility":"Public","isolation_level":"service","timeout":"10m","sandbox":"Process"
            """#
        )
        #expect(definition.name.text == "svc")
        #expect(definition.cpu.text == "1.0" && definition.cpuLimit == MilliCPU(1000))
        #expect(definition.memoryLimit == ByteCount(1 << 30))
        #expect(definition.logLevel == .debug)
        #expect(definition.token.isEmpty && definition.owner.isEmpty && definition.bucketList.isEmpty)
        #expect(definition.input == [StorageIO(path: "svc/in")])
        #expect(definition.output == [StorageIO(path: "svc/out", prefixes: ["a"], suffixes: [".png"])])
        #expect(definition.environment.variables == ["A": "1", "B": "true", "C": "", "D": "x"])
        #expect(definition.annotations == ["n": "1.50"])
        #expect(definition.expose == ServiceDefinition.Expose())
        #expect(definition.allowedUsers == ["a", "b"])
        #expect(definition.visibility == .public && definition.isolationLevel == .service)
        #expect(definition.timeout == .seconds(600) && definition.sandbox == .process)
    }

    @Test(arguments: [
        ("7", Duration.seconds(7)), (#""90s""#, .seconds(90)), (#""1h30m""#, .seconds(5400)),
        (#""250ms""#, .milliseconds(250)),
    ])
    func timeouts(_ json: String, _ duration: Duration) throws {
        let definition = try service("\"timeout\":\(json)")
        #expect(definition.timeout == duration)
        #expect(try ServiceDefinition(stored: definition.storedJSON()).timeout == duration)
    }

    @Test(arguments: [("a\r\nb\rc\n", "a\nb\nc\n"), ("\r\n\r\r\n", "\n\n\n"), ("plain é", "plain é")])
    func lineEnds(_ script: String, _ normalised: String) throws {
        let json = JSONValue.object(["name": .string("a"), "image": .string("i"), "script": .string(script)])
        #expect(try ServiceDefinition.parse(json).script == normalised)
    }

    @Test(arguments: [
        ("debug", ServiceDefinition.LogLevel.debug), ("CRITICAL", .critical), ("NotSet", .notSet),
        ("verbose", .info), ("", .info),
    ])
    func logLevels(_ text: String, _ level: ServiceDefinition.LogLevel) throws {
        #expect(try service("\"log_level\":\"\(text)\"").logLevel == level)
    }

    @Test(arguments: [
        ("80", [80]), ("[80,8080]", [80, 8080]), ("0", []), ("null", []), ("[]", []), ("[0]", []),
        ("[0,80]", []),
    ])
    func ports(_ json: String, _ ports: [Int]) throws {
        let expose = try service("\"expose\":{\"api_port\":\(json),\"nodePort\":\(json)}").expose
        #expect(expose.ports == ports)
        #expect(expose.isExposed == !ports.isEmpty)
        #expect(expose.maximumScale == (ports.isEmpty ? 0 : 10))
    }

    /// What oscar-cli 1.12.2 sends: the structure of version 3 (oscar-clients.md 2.4).
    @Test func bodyOfOscarCLI() throws {
        let text = #"""
            {"name":"thumbs","cluster_id":"lab","memory":"512Mi","cpu":"1","total_memory":"","total_cpu":"","enable_gpu":false,
            "enable_sgx":false,"image_prefetch":false,"synchronous":{"min_scale":0,"max_scale":0},"replicas":null,
            "delegation":"","rescheduler_threshold":0,"log_level":"","image":"ghcr.io/acme/imagetools:2","alpine":false,
            "token":"","file_stage_in":false,"input":[{"storage_provider":"minio.default","path":"thumbs/in"}],
            "output":[{"storage_provider":"minio.default","path":"thumbs/out","suffix":[".png"]}],"script":"#!/bin/sh\r\nls\r\n",
            "image_pull_secrets":null,"expose":{"min_scale":0,"max_scale":0,"cpu_threshold":0,"rewrite_target":false,
            "nodePort":0,"default_command":false,"set_auth":false},"environment":{"Variables":{"SIZE":"256"}},
            "annotations":null,"labels":null,"vo":"","storage_providers":{"s3":{"archive":{"access_key":"AK","secret_key":"SK",
            "region":"eu-west-1"}}},"clusters":{"lab":{"endpoint":"https://lab","auth_user":"oscar","auth_password":"pw",
            "ssl_verify":true}},"owner":"","interlink_node_name":"","allowed_users":null,
            "mount":{"storage_provider":"","path":""}}
            """#
        let definition = try ServiceDefinition.parse(JSONValue.parse(text))
        #expect(definition.script == "#!/bin/sh\nls\n")
        #expect(definition.environment.variables == ["SIZE": "256"])
        #expect(definition.clusters["lab"]?.password == "pw")
        #expect(definition.unsupportedFields().isEmpty)
        #expect(!definition.json(for: .keeper, clusterStore: clusterStore).text().contains("\"pw\""))
    }

    /// What oscar-python sends: a dictionary as the user wrote it.
    @Test func bodyOfOscarPython() throws {
        let text = #"""
            {"name": "shout", "image": "busybox", "cpu": "1.0", "memory": "128Mi", "log_level": "CRITICAL",
             "script": "tr a-z A-Z < \"$INPUT_FILE_PATH\"\n", "environment": {"variables": {"A": "b"}, "secrets": {"K": "v"}},
             "input": [{"storage_provider": "minio", "path": "in"}], "output": [], "allowed_users": []}
            """#
        let definition = try ServiceDefinition.parse(JSONValue.parse(text))
        #expect(definition.input.map(\.path) == ["shout/in"])
        #expect(definition.environment.secrets == ["K": "v"])
        #expect(definition.logLevel == .critical)
    }

    @Test func hugeAndHostileObjects() throws {
        let many = (0..<50_000).map { "\"k\($0)\":null" }.joined(separator: ",")
        _ = try service(many)
        let names = (0..<2000).map { "{\"path\":\"svc/\($0)\"}" }.joined(separator: ",")
        #expect(try service("\"output\":[\(names)]").output.count == 2000)
    }

    @Test(arguments: 0..<10)
    func neverCrashes(_ seed: UInt64) throws {
        let keys = try service("").json(for: .keeper, clusterStore: clusterStore).objectValue?.keys ?? []
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<300 {
            var body: JSONObject = ["name": .string("a"), "image": .string("i"), "script": .string("s")]
            for _ in 0..<3 {
                body[
                    (keys + ["federation", "volume", "kserve", "clusters", "timeout"]).randomElement(
                        using: &generator
                    ) ?? ""
                ] =
                    .random(using: &generator, depth: 2)
            }
            do {
                let definition = try ServiceDefinition.parse(.object(body))
                #expect(try ServiceDefinition(stored: definition.storedJSON()) == definition, "seed \(seed)")
            } catch {
                #expect(!error.message.isEmpty)
            }
        }
    }
}
