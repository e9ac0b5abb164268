import Testing

@testable import Model

private let clusterStore = ServiceDefinition.ClusterStore(
    endpoint: "http://127.0.0.1:9000",
    verify: false,
    region: "us-east-1"
)

/// A definition in which every field says something.
private func fullService() throws -> ServiceDefinition {
    let text = #"""
        {"name":"full","cluster_id":"lab","memory":"1Gi","cpu":"0.5","total_memory":"2Gi","total_cpu":"2",
        "ephemeral_storage_request":"1Gi","enable_gpu":true,"enable_sgx":true,"image_prefetch":true,
        "synchronous":{"min_scale":1,"max_scale":2},"federation":{"topology":"star","delegation":"load-based",
        "rescheduler_threshold":30,"members":[{"type":"oscar","cluster_id":"cloud","service_name":"full","priority":1,
        "headers":{"X":"y"}},{"type":"endpoint","url":"https://e","ssl_verify":true}]},"log_level":"debug","image":"img",
        "alpine":true,"file_stage_in":true,"input":[{"storage_provider":"minio.default","path":"full/in"}],
        "output":[{"storage_provider":"s3.archive","path":"acme/out","prefix":["p"],"suffix":[".s"]},
        {"storage_provider":"minio.cloud","path":"cloud/in"},{"storage_provider":"onedata.hub","path":"r"},
        {"storage_provider":"webdav.dcache","path":"/pnfs/out"},{"storage_provider":"rucio.r1","path":"x"}],
        "script":"ls\n","image_pull_secrets":["ghcr"],"expose":{"api_port":[80,81],"nodePort":[0,30001],"set_auth":true,
        "auth_type":"basic","health_path":"/h","probe_mode":"direct"},"environment":{"variables":{"B":"2","A":"1"},
        "secrets":{"K":"secret-value"}},"annotations":{"a":"b"},"labels":{"l":"m"},"vo":"vo",
        "storage_providers":{"minio":{"cloud":{"endpoint":"https://c:9000","access_key":"AK1","secret_key":"SK1","region":"r"}},
        "s3":{"archive":{"access_key":"AK2","secret_key":"SK2","region":"eu","endpoint":"http://s3","verify":false}},
        "onedata":{"hub":{"oneprovider_host":"o","token":"TK","space":"s"}},
        "webdav":{"dcache":{"hostname":"d","login":"LG","password":"PW"}},
        "rucio":{"r1":{"host":"h","auth_host":"a","account":"c","rse":"R","refresh_token":"RT","oidc_audience":"au",
        "token_endpoint":"te"}}},
        "clusters":{"cloud":{"endpoint":"https://cloud","auth_user":"CU","auth_password":"CP","ssl_verify":false}},
        "interlink_node_name":"il","visibility":"restricted","allowed_users":["u"],"isolation_level":"USER",
        "mount":{"storage_provider":"minio.default","path":"datasets","options":"--a b"},
        "volume":{"size":"5Gi","mount_path":"/c","lifecycle_policy":"retain"},
        "kserve":{"type":"inference","inference":{"model_format":"sklearn","runtime":"rt","api_version":"v2"},
        "storage_uri":"u","min_scale":1,"max_scale":0,"args":["x"],"env":{"E":"1"},"enable_gpu":true,"set_auth":false},
        "sandbox":"container","timeout":90,"priority":-5,"max_parallel":3,"queue":{"limit":1000},
        "instances":{"min":1,"max":3,"idle":"90s","max_invocations":50,"max_age":"2h","concurrency":4}}
        """#
    var definition = try ServiceDefinition.parse(JSONValue.parse(text))
    definition.token = "the-token"
    definition.owner = "cluster_admin"
    definition.namespace = "ns"
    definition.bucketList = ["full-u"]
    return definition
}

struct ServiceJSONTests {
    @Test func minimalServiceExactly() throws {
        let json = try JSONValue.parse(#"{"name":"shout","image":"busybox","script":"ls"}"#)
        let expected =
            #"{"name":"shout","cluster_id":"","memory":"256Mi","cpu":"0.2","total_memory":"","total_cpu":"","#
            + #""ephemeral_storage_request":"","enable_gpu":false,"enable_sgx":false,"image_prefetch":false,"#
            + #""synchronous":{"min_scale":0,"max_scale":0},"log_level":"INFO","image":"busybox","alpine":false,"token":"","#
            + #""file_stage_in":false,"input":[],"output":[],"script":"ls","expose":{"min_scale":0,"max_scale":0,"#
            + #""cpu_threshold":0,"rewrite_target":false,"default_command":false,"set_auth":false,"health_path":""},"#
            + #""environment":{"variables":{},"secrets":{}},"annotations":{},"labels":{},"vo":"","#
            + #""storage_providers":{"minio":{"default":{"endpoint":"http://127.0.0.1:9000","verify":false,"#
            + #""access_key":"hidden","secret_key":"hidden","region":"us-east-1"}}},"owner":"","interlink_node_name":"","#
            + #""visibility":"private","allowed_users":[],"isolation_level":"","bucket_list":[],"#
            + #""mount":{"storage_provider":"","path":""},"volume_status":{"enabled":false}}"#
        #expect(
            try ServiceDefinition.parse(json).json(for: .keeper, clusterStore: clusterStore).text()
                == expected
        )
    }

    @Test func keysInOSCARsOrder() throws {
        let json = try fullService().json(
            for: .keeper,
            clusterStore: clusterStore,
            deployment: .object(["state": .string("ready")])
        )
        #expect(
            json.objectValue?.keys == [
                "name", "cluster_id", "memory", "cpu", "total_memory", "total_cpu",
                "ephemeral_storage_request", "enable_gpu",
                "enable_sgx", "image_prefetch", "synchronous", "federation", "log_level", "image", "alpine",
                "token",
                "file_stage_in", "input", "output", "script", "image_pull_secrets", "expose", "environment",
                "annotations",
                "labels", "vo", "storage_providers", "clusters", "owner", "namespace", "interlink_node_name",
                "visibility",
                "allowed_users", "isolation_level", "bucket_list", "mount", "volume", "volume_status",
                "deployment", "kserve",
                "sandbox", "timeout", "priority", "max_parallel", "queue", "instances",
            ]
        )
        #expect(
            json["expose"]?.text()
                == #"{"min_scale":1,"max_scale":10,"api_port":[80,81],"cpu_threshold":80,"rewrite_target":false,"#
                + #""nodePort":[0,30001],"default_command":false,"set_auth":true,"auth_type":"basic","#
                + #""health_path":"/h","probe_mode":"direct"}"#
        )
        #expect(
            json["federation"]?.text()
                == #"{"group_id":"full","topology":"star","delegation":"load-based","rescheduler_threshold":30,"#
                + #""members":[{"type":"oscar","cluster_id":"cloud","service_name":"full","url":"","ssl_verify":false,"#
                + #""priority":1,"headers":{"X":"y"}},{"type":"endpoint","cluster_id":"","service_name":"","url":"https://e","#
                + #""ssl_verify":true,"priority":0,"headers":{}}]}"#
        )
        #expect(
            json["output"]?[0]?.text()
                == #"{"storage_provider":"s3.archive","path":"acme/out","suffix":[".s"],"prefix":["p"]}"#
        )
        #expect(json["environment"]?.text() == #"{"variables":{"A":"1","B":"2"},"secrets":{"K":""}}"#)
        #expect(
            json["instances"]?.text()
                == #"{"min":1,"max":3,"idle":"90s","max_invocations":50,"max_age":"7200s","concurrency":4}"#)
        #expect(json["timeout"] == .integer(90) && json["sandbox"] == .string("container"))
    }

    @Test func secretsStayInside() throws {
        let definition = try fullService()
        let keeper = definition.json(for: .keeper, clusterStore: clusterStore).text()
        let viewer = definition.json(for: .viewer, clusterStore: clusterStore).text()
        let function = definition.functionConfig(clusterStore: clusterStore).text()
        for word in ["secret-value", "CU", "CP"] {
            for text in [keeper, viewer, function] { #expect(!text.contains("\"\(word)\""), "\(word)") }
        }
        for word in ["AK1", "SK1", "AK2", "SK2", "TK", "LG", "PW", "RT"] {
            #expect(keeper.contains("\"\(word)\""))
            #expect(!viewer.contains("\"\(word)\"") && !function.contains("\"\(word)\""), "\(word)")
        }
        #expect(keeper.contains("the-token") && !viewer.contains("the-token"))
        #expect(
            definition.json(for: .viewer, clusterStore: clusterStore)["clusters"]?["cloud"]?["auth_user"]
                == .string("")
        )
    }

    @Test func functionConfigLeavesOutWhatOSCARLeavesOut() throws {
        let config = try fullService().functionConfig(clusterStore: clusterStore)
        for key in ["script", "namespace", "volume_status", "deployment"] { #expect(config[key] == nil) }
        for key in [
            "log_level", "file_stage_in", "input", "output", "storage_providers", "isolation_level",
            "bucket_list",
        ] {
            #expect(config[key] != nil)
        }
        #expect(config["storage_providers"]?["minio"]?["default"]?["access_key"] == .string("hidden"))
    }

    @Test func storedFormLosesNothing() throws {
        let definition = try fullService()
        let text = definition.storedJSON().text()
        #expect(try ServiceDefinition(stored: JSONValue.parse(text)) == definition)
        let minimal = ServiceDefinition(name: try ServiceName("a"), image: "", script: "s")
        #expect(try ServiceDefinition(stored: minimal.storedJSON()) == minimal)
        #expect(text.contains("secret-value") && text.contains("\"CP\""))
    }

    /// What a keeper reads and sends back unchanged changes nothing.
    @Test func shownFormCanBeSentBack() throws {
        let definition = try fullService()
        var again = try ServiceDefinition.parse(definition.json(for: .keeper, clusterStore: clusterStore))
        again.restoreHiddenValues(from: definition)
        (again.token, again.owner) = (definition.token, definition.owner)
        (again.namespace, again.bucketList) = (definition.namespace, definition.bucketList)
        #expect(again == definition)
    }

    @Test func hiddenValuesAreRestoredOnlyWhereTheyAreEmpty() throws {
        let previous = try fullService()
        var next = previous
        next.environment.secrets = ["K": "", "new": "n", "empty": ""]
        next.clusters = [
            "cloud": .init(endpoint: "https://elsewhere"),
            "other": .init(endpoint: "https://o", user: "u", password: "p"),
        ]
        next.restoreHiddenValues(from: previous)
        #expect(next.environment.secrets == ["K": "secret-value", "new": "n", "empty": ""])
        #expect(next.clusters["cloud"]?.password == "")
        #expect(next.clusters["other"]?.password == "p")
    }

    @Test func namesAllThatIsNotSupported() throws {
        let fields = try fullService().unsupportedFields().map { String($0.prefix { $0 != ":" }) }
        #expect(
            fields == [
                "ephemeral_storage_request", "enable_gpu", "enable_sgx", "federation",
                "image_pull_secrets", "expose.nodePort",
                "interlink_node_name",
                "isolation_level", "kserve", "output[2].storage_provider",
                "output[4].storage_provider",
            ]
        )
    }

    @Test(arguments: [
        (
            #""input":[{"storage_provider":"webdav.dcache","path":"p"}],"storage_providers":{"webdav":{"dcache":{"hostname":"h","login":"l","password":"p"}}}"#,
            "input[0].storage_provider: this version of Apus does not support inputs from webdav"
        ),
        (
            #""input":[{"storage_provider":"minio.c","path":"abc/d"}],"storage_providers":{"minio":{"c":{"endpoint":"http://h","access_key":"l","secret_key":"p"}}}"#,
            "input[0].storage_provider: this version of Apus does not support inputs from the store of another cluster (minio.c); use minio.default"
        ),
        (
            #""storage_providers":{"rucio":{"r":{}}}"#,
            "storage_providers.rucio.r: this version of Apus does not support storages of the kind rucio"
        ),
    ])
    func saysSo(_ more: String, _ sentence: String) throws {
        let text = #"{"name":"svc","image":"i","script":"s","# + more + "}"
        #expect(try ServiceDefinition.parse(JSONValue.parse(text)).unsupportedFields() == [sentence])
    }

    @Test func supportIsAParameter() throws {
        let text =
            #"{"name":"svc","image":"i","script":"s","output":[{"storage_provider":"onedata.o","path":"p"}],"#
            + #""storage_providers":{"onedata":{"o":{"oneprovider_host":"h","token":"t","space":"s"}}}}"#
        let definition = try ServiceDefinition.parse(JSONValue.parse(text))
        #expect(definition.unsupportedFields().count == 1)
        #expect(definition.unsupportedFields(.init(outputs: [.onedata])).isEmpty)
    }
}
