import Testing

@testable import Model

@Suite("Modes and instances") struct FunctionModeTests {
    private func parse(_ members: String, sandbox: SandboxKind = .container) throws -> ServiceDefinition {
        try ServiceDefinition.parse(
            JSONValue.parse(#"{"name":"cows","image":"i","script":"x","# + members + "}"), defaultSandbox: sandbox)
    }

    private static func rules(_ change: (inout InstanceRules) -> Void) -> InstanceRules {
        var rules = InstanceRules()
        change(&rules)
        return rules
    }

    @Test(
        arguments: [
            (#""mode":"script""#, FunctionMode.script, nil), (#""mode":"Resident""#, .resident, nil),
            (#""mode":"""#, .script, nil), (#""mode":null,"server":null,"instances":null"#, .script, nil),
            (#""mode":"server""#, .server, FunctionServer()),
            (#""mode":"server","server":{}"#, .server, FunctionServer()),
            (
                #""mode":"server","server":{"Port":1,"HEALTH_path":"up?x=1"}"#, .server,
                FunctionServer(port: 1, healthPath: "/up?x=1")
            ),
            (#""expose":{"api_port":0,"nodePort":0}"#, .script, nil),
            (#""expose":{"api_port":80}"#, .server, FunctionServer(port: 80)),
            (#""mode":"server","expose":{"api_port":[80,81]}"#, .server, FunctionServer(port: 80)),
            (
                #""expose":{"api_port":80,"health_path":"h","rewrite_target":true}"#, .server,
                FunctionServer(port: 80, healthPath: "/system/services/cows/exposed/h")
            ),
            (
                #""expose":{"api_port":80,"health_path":"/h","rewrite_target":true,"probe_mode":"direct"}"#, .server,
                FunctionServer(port: 80, healthPath: "/h")
            ),
        ] as [(String, FunctionMode, FunctionServer?)])
    func modes(_ members: String, _ mode: FunctionMode, _ server: FunctionServer?) throws {
        let definition = try parse(members)
        #expect(definition.mode == mode && definition.server == server)
        #expect(definition.unsupportedFields().isEmpty)
        try expectKept(definition)
    }

    @Test(
        arguments: [
            ("{}", InstanceRules()), (#"{"min":2}"#, rules { $0.minimum = 2 }),
            (#"{"min":0}"#, rules { $0.minimum = 0 }),
            (#"{"max":0,"max_invocations":0,"min":null}"#, InstanceRules()),
            (#"{"MIN":1,"Max":1}"#, rules { ($0.minimum, $0.maximum) = (1, 1) }),
            (#"{"idle":90}"#, rules { $0.idle = .seconds(90) }),
            (#"{"idle":"250ms"}"#, rules { $0.idle = .milliseconds(250) }),
            (#"{"idle":"30d"}"#, rules { $0.idle = .seconds(30 * 86_400) }), (#"{"idle":"5m"}"#, InstanceRules()),
            (#"{"max_invocations":1000}"#, rules { $0.maximumInvocations = 1000 }),
            (#"{"max_age":"24h"}"#, rules { $0.maximumAge = .seconds(86_400) }),
            (#"{"concurrency":1}"#, InstanceRules()), (#"{"concurrency":1000}"#, rules { $0.concurrency = 1000 }),
            (#"{"fresh":false,"batch":null}"#, InstanceRules()),
            (#"{"batch":{}}"#, rules { $0.batch = .init(files: 16, wait: .milliseconds(50)) }),
            (#"{"batch":{"files":1000,"wait":0}}"#, rules { $0.batch = .init(files: 1000, wait: .zero) }),
            (#"{"batch":{"wait":"1m"}}"#, rules { $0.batch = .init(wait: .seconds(60)) }),
            (#"{"unknown":[1]}"#, InstanceRules()),
        ] as [(String, InstanceRules)])
    func instances(_ json: String, _ rules: InstanceRules) throws {
        let definition = try parse("\"mode\":\"resident\",\"instances\":\(json)")
        #expect(definition.instances == rules)
        try expectKept(definition)
    }

    @Test func freshSandboxes() throws {
        let definition = try parse(#""instances":{"fresh":true,"max":3,"min":0}"#)
        #expect(definition.instances.isFresh && definition.minimumInstances == 0)
        try expectKept(definition)
    }

    /// What wins where several keys speak of the number of instances.
    @Test(
        arguments: [
            ("\"vo\":\"\"", 0, nil), (#""synchronous":{"min_scale":2,"max_scale":5}"#, 2, nil),
            (#""synchronous":{"min_scale":2},"instances":{"min":0}"#, 0, nil),
            (#""synchronous":{"min_scale":2},"instances":{"min":3,"max":4}"#, 3, 4),
            (#""expose":{"api_port":80},"synchronous":{"min_scale":4}"#, 1, 10),
            (#""expose":{"api_port":80,"min_scale":2,"max_scale":2}"#, 2, 2),
            (#""expose":{"api_port":80},"instances":{"min":0,"max":3}"#, 0, 3),
        ] as [(String, Int, Int?)])
    func numbers(_ members: String, _ minimum: Int, _ maximum: Int?) throws {
        let definition = try parse(members)
        #expect(definition.minimumInstances == minimum && definition.maximumInstances == maximum)
        try expectKept(definition)
    }

    @Test(
        arguments: [
            (#""mode":"daemon""#, "mode"), (#""mode":1"#, "mode"), (#""mode":["server"]"#, "mode"),
            (#""mode":"resident\u0000""#, "mode"), (#""server":{}"#, "server"),
            (#""mode":"resident","server":{"port":1}"#, "server"), (#""mode":"server","server":8080"#, "server"),
            (#""mode":"server","server":{"port":0}"#, "server.port"),
            (#""mode":"server","server":{"port":65536}"#, "server.port"),
            (#""mode":"server","server":{"port":"80"}"#, "server.port"),
            (#""mode":"server","server":{"health_path":"/a b"}"#, "server.health_path"),
            (#""mode":"server","server":{"health_path":"/a\r\nHost: x"}"#, "server.health_path"),
            (#""mode":"server","server":{"health_path":"/é"}"#, "server.health_path"),
            (#""mode":"server","server":{"health_path":"/a#b"}"#, "server.health_path"),
            (#""mode":"server","server":{"health_path":1}"#, "server.health_path"),
            (#""mode":"script","expose":{"api_port":80}"#, "mode"),
            (#""mode":"resident","expose":{"api_port":80}"#, "mode"),
            (#""mode":"server","server":{},"expose":{"api_port":80}"#, "server"),
            (#""expose":{"api_port":80,"health_path":"a\nb"}"#, "expose.health_path"),
            (#""expose":{"api_port":[80,80]}"#, "expose.api_port"),
            (#""expose":{"api_port":80,"cpu_threshold":101}"#, "expose.cpu_threshold"),
            (#""expose":{"api_port":80,"min_scale":11}"#, "expose.min_scale"),
            (#""expose":{"api_port":80},"instances":{"min":11}"#, "instances.min"),
            (#""expose":{"api_port":80,"min_scale":3},"instances":{"max":2}"#, "expose.min_scale"),
            (#""sandbox":"process","expose":{"api_port":80,"default_command":true}"#, "expose.default_command"),
            (#""synchronous":{"min_scale":3,"max_scale":2}"#, "synchronous.min_scale"),
            (#""synchronous":{"min_scale":3},"instances":{"max":2}"#, "synchronous.min_scale"),
            (#""synchronous":{"min_scale":1},"instances":{"fresh":true}"#, "synchronous.min_scale"),
            (#""cpu":1,"total_cpu":2,"instances":{"min":3}"#, "instances.min"),
            (#""memory":"1Gi","total_memory":"2Gi","synchronous":{"min_scale":3}"#, "synchronous.min_scale"),
            (#""memory":"7Ei","total_memory":"7Ei","instances":{"min":1000}"#, "instances.min"),
        ])
    func refuses(_ members: String, _ field: String) { expectRefusal(members, field) }

    @Test(
        arguments: [
            ("1", "instances"), ("[]", "instances"), (#"{"min":-1}"#, "instances.min"),
            (#"{"min":1001}"#, "instances.min"),
            (#"{"min":1.5}"#, "instances.min"), (#"{"min":"1"}"#, "instances.min"),
            (#"{"min":1e400}"#, "instances.min"),
            (#"{"min":99999999999999999999}"#, "instances.min"), (#"{"min":{}}"#, "instances.min"),
            (#"{"max":1001}"#, "instances.max"), (#"{"max":true}"#, "instances.max"),
            (#"{"min":3,"max":2}"#, "instances.min"), (#"{"idle":0}"#, "instances.idle"),
            (#"{"idle":"31d"}"#, "instances.idle"), (#"{"idle":"-5m"}"#, "instances.idle"),
            (#"{"idle":"never"}"#, "instances.idle"), (#"{"idle":1e-3}"#, "instances.idle"),
            (#"{"max_invocations":-1}"#, "instances.max_invocations"),
            (#"{"max_invocations":4294967296}"#, "instances.max_invocations"),
            (#"{"max_age":"366d"}"#, "instances.max_age"), (#"{"max_age":"0s"}"#, "instances.max_age"),
            (#"{"concurrency":0}"#, "instances.concurrency"), (#"{"concurrency":1001}"#, "instances.concurrency"),
            (#"{"concurrency":[2]}"#, "instances.concurrency"), (#"{"fresh":"yes"}"#, "instances.fresh"),
            (#"{"fresh":true}"#, "instances.fresh"), (#"{"batch":16}"#, "instances.batch"),
            (#"{"batch":{"files":0}}"#, "instances.batch.files"),
            (#"{"batch":{"files":1001}}"#, "instances.batch.files"),
            (#"{"batch":{"wait":"61s"}}"#, "instances.batch.wait"), (#"{"batch":{"wait":-1}}"#, "instances.batch.wait"),
            (#"{"batch":{"wait":[]}}"#, "instances.batch.wait"), (#"{"batch":{"wait":""}}"#, "instances.batch.wait"),
        ])
    func refusesInstances(_ json: String, _ field: String) {
        expectRefusal("\"mode\":\"resident\",\"instances\":\(json)", field)
    }

    @Test(
        arguments: [
            (#"{"fresh":true}"#, "resident"), (#"{"fresh":true}"#, "server"), (#"{"concurrency":2}"#, "script"),
            (#"{"batch":{}}"#, "script"), (#"{"batch":{}}"#, "server"), (#"{"fresh":true,"min":1}"#, "script"),
        ])
    func combinations(_ json: String, _ mode: String) {
        #expect {
            _ = try parse("\"mode\":\"\(mode)\",\"instances\":\(json)")
        } throws: { error in
            guard let error = error as? ServiceSpecificationError else { return false }
            return error.code == .invalid && error.field.hasPrefix("instances.")
        }
    }

    /// Without a script there must be something else that is run.
    @Test(
        arguments: [
            (#""expose":{"api_port":80,"default_command":true}"#, true),
            (#""script":"","Expose":{"api_port":80,"default_command":true}"#, true),
            (#""expose":{"api_port":80}"#, false), (#""expose":{"default_command":true}"#, false),
            (#""mode":"server""#, false),
        ])
    func imagesOwnCommand(_ members: String, isEnough: Bool) throws {
        func parse() throws -> ServiceDefinition {
            try ServiceDefinition.parse(
                JSONValue.parse(#"{"name":"cows","image":"i","# + members + "}"), defaultSandbox: .container)
        }
        guard isEnough else {
            let error = #expect(throws: ServiceSpecificationError.self) { try parse() }
            #expect(error?.code == .missing && error?.field == "script")
            return
        }
        let definition = try parse()
        #expect(definition.expose.defaultCommand && definition.script.isEmpty)
        try expectKept(definition)
    }

    @Test func messagesSayWhatToDo() {
        func message(_ members: String) -> String? {
            #expect(throws: ServiceSpecificationError.self) { try parse(members) }?.problem
        }
        #expect(message(#""mode":"warm""#) == #""warm" is not allowed: write script, resident or server"#)
        #expect(
            message(#""instances":{"concurrency":2}"#)
                == "must be 1 with mode: script; resident and server can have more")
        #expect(
            message(#""cpu":2,"total_cpu":3,"instances":{"min":2}"#)
                == "2 instances need 4 processors, more than total_cpu, 3")
    }

    /// What was stored before there were these keys, or says nothing of them, neither needs nor gets them.
    @Test func olderDefinitions() throws {
        let definition = try parse(#""timeout":1"#)
        let stored = definition.storedJSON()
        for key in ["mode", "instances", "server"] { #expect(stored[key] == nil) }
        let read = try ServiceDefinition(stored: stored)
        #expect(read == definition && read.mode == .script && read.instances == InstanceRules() && read.server == nil)
    }

    @Test func portsOfTheMachineAreNotSupported() throws {
        let definition = try parse(#""expose":{"api_port":[80,81],"nodePort":[0,30001]}"#)
        #expect(
            definition.unsupportedFields() == [
                "expose.nodePort: this version of Apus does not support ports on the machine; leave it out and use "
                    + "/system/services/cows/exposed/"
            ])
        #expect(try parse(#""expose":{"api_port":[80,81],"nodePort":[0,0]}"#).unsupportedFields().isEmpty)
    }

    @Test(arguments: [0, 65_536, -1])
    func noPorts(_ port: Int) { #expect(FunctionServer(port: port) == nil) }

    @Test func longestHealthPath() {
        let path = "/" + String(repeating: "x", count: 1023)
        #expect(FunctionServer(healthPath: path)?.healthPath == path)
        #expect(FunctionServer(healthPath: path + "x") == nil)
    }

    private func expectRefusal(_ members: String, _ field: String) {
        let error = #expect(throws: ServiceSpecificationError.self) { try parse(members) }
        #expect(error?.field == field, "\(error?.message ?? "")")
        #expect(error?.problem.isEmpty == false)
    }

    /// Stored and read back, and shown and sent back, nothing is lost.
    private func expectKept(_ definition: ServiceDefinition) throws {
        #expect(try ServiceDefinition(stored: JSONValue.parse(definition.storedJSON().text())) == definition)
        let store = ServiceDefinition.ClusterStore(endpoint: "http://h", verify: true, region: "r")
        #expect(try ServiceDefinition.parse(definition.json(for: .keeper, clusterStore: store)) == definition)
    }
}
