import LoopbackServer
import SystemPackage
import Testing

@testable import Commands

struct ConfigurationTests {
    @Test func addsListsSetsAndRemoves() async throws {
        try await TemporaryFolder.with { folder in
            let world = World(folder)
            #expect(await world.run("cluster", "list").error.contains("There are no clusters"))
            #expect(await world.run("cluster", "add", "lab", "https://lab.org/", "oscar", "p w: #x").status == 0)
            #expect(
                await world.run("cluster", "add", "edge", "http://edge:8080", "--token", "T", "--disable-ssl").status
                    == 0)
            #expect(try world.configuration.mode() == 0o600)
            #expect(try world.configuration.removingLastComponent().mode() == 0o700)
            #expect(try world.configuration.removingLastComponent().names() == ["config.yaml"])

            #expect(
                await world.run("cluster", "list").output
                    == "lab (https://lab.org) (Default)\nedge (http://edge:8080)\n")
            #expect(await world.run("cluster", "default").output == "lab\n")
            #expect(await world.run("cluster", "default", "--set", "edge").output == "edge\n")
            #expect(await world.run("cluster", "default", "-s", "none").status == 3)

            let configuration = try await Configuration.load(file: world.configuration.string)
            let lab = try configuration.cluster("lab")
            #expect(lab.password == "p w: #x")
            #expect(lab.verifyTLS)
            #expect(try configuration.cluster().token == "T")
            #expect(try configuration.cluster().verifyTLS == false)

            #expect(await world.run("cluster", "remove", "edge").status == 0)
            #expect(await world.run("cluster", "remove", "edge").status == 3)
            #expect(await world.run("cluster", "default").output == "lab\n")
            #expect(
                await world.run("cluster", "list", "-o", "json").output.contains("\"endpoint\": \"https://lab.org\""))
        }
    }

    @Test(arguments: ["first line\nsecond", "only"])
    func readsThePasswordFromTheInput(input: String) async throws {
        try await TemporaryFolder.with { folder in
            var world = World(folder)
            world.input = input
            #expect(await world.run("cluster", "add", "lab", "http://h", "u", "--password-stdin").status == 0)
            let configuration = try await Configuration.load(file: world.configuration.string)
            #expect(try configuration.cluster("lab").password == String(input.prefix { $0 != "\n" }))
        }
    }

    @Test func anEmptyPasswordInputIsRefused() async throws {
        let outcome = try await TemporaryWorld.run(["cluster", "add", "lab", "http://h", "u", "--password-stdin"])
        #expect(outcome.status == 6)
    }

    @Test func readsAndKeepsWhatOscarCLIWrote() async throws {
        let text = """
            oscar:
              lab: {endpoint: https://lab, auth_user: oscar, auth_password: 12345, ssl_verify: true, memory: 1Gi, extra: 1}
              egi: {endpoint: https://egi, oidc_refresh_token: eyJ, ssl_verify: false, memory: 256Mi, log_level: INFO}
              agent: {endpoint: https://agent, oidc_account_name: acct, ssl_verify: true}
            default: lab
            """
        try await TemporaryFolder.with { folder in
            let world = World(folder)
            try folder.appending(".oscar-cli").appending("config.yaml").write(text.utf8)
            let list = await world.run("cluster", "list")
            #expect(list.output == "lab (https://lab) (Default)\negi (https://egi)\nagent (https://agent)\n")
            #expect(list.error.contains(".oscar-cli"))
            let refused = await world.run("cluster", "info", "-c", "egi")
            #expect(refused.status == 4)
            #expect(refused.error.contains("OpenID Connect"))

            #expect(await world.run("cluster", "add", "own", "http://own").status == 0)
            #expect(try folder.appending(".oscar-cli").appending("config.yaml").readText() == text)
            let written = try #require(try world.configuration.readText())
            for kept in ["extra: 1", "oidc_refresh_token: eyJ", "oidc_account_name: acct", "1Gi", "default: lab"] {
                #expect(written.contains(kept))
            }
            let configuration = try await Configuration.load(file: world.configuration.string)
            #expect(configuration.ids.prefix(4) == ["lab", "egi", "agent", "own"])
            #expect(try configuration.cluster("lab").password == "12345")
            #expect(await world.run("cluster", "list").error.isEmpty)
        }
    }

    @Test(arguments: [
        "[]", "text", "oscar: []", "oscar: text", "oscar: {a: 1}", "oscar: {a: {}}", "oscar: {a: {endpoint: []}}",
        "oscar: {a: {endpoint: x, ssl_verify: maybe}}", "oscar: {a: {endpoint: x, auth_password: {}}}", "default: []",
        "oscar: {a: {endpoint: x", "\u{1}", "a: &x [*x]", String(repeating: "[", count: 5000),
    ])
    func refusesMalformedFiles(text: String) async throws {
        try await TemporaryFolder.with { folder in
            let world = World(folder)
            try world.configuration.write(text.utf8)
            let outcome = await world.run("cluster", "list")
            #expect(outcome.status == 6)
            #expect(outcome.error.hasPrefix("Error: "))
            // A change must not destroy what cannot be read.
            if await world.run("cluster", "add", "x", "http://x").status != 0 {
                #expect(try world.configuration.readText() == text)
            }
        }
    }

    @Test func refusesBinaryFiles() async throws {
        try await TemporaryFolder.with { folder in
            let world = World(folder)
            try world.configuration.write([0xFF, 0xFE, 0x00])
            #expect(await world.run("cluster", "list").status == 6)
        }
    }

    @Test(arguments: ["", "a b", "a:b", "a/b", "default-cluster", "ä"])
    func refusesBadIds(id: String) async throws {
        #expect(try await TemporaryWorld.run(["cluster", "add", id, "http://h"]).status == 6)
    }

    @Test func refusesBadEndpoints() async throws {
        #expect(try await TemporaryWorld.run(["cluster", "add", "x", "host:8080"]).status == 6)
    }

    @Test func aNamedFileMustExist() async throws {
        #expect(try await TemporaryWorld.run(["cluster", "list", "--config", "none.yaml"]).status == 3)
        #expect(
            try await TemporaryWorld.run(["cluster", "add", "x", "http://x", "--config", "new/file.yaml"]).status == 0
        )
    }

    @Test func theEnvironmentGoesFirst() async throws {
        try await TemporaryFolder.with { folder in
            var world = try World.of(folder, port: 1)
            world.variables = ["APUS_ENDPOINT": "http://env:1", "APUS_USERNAME": "u", "APUS_PASSWORD": "p"]
            #expect(await world.run("cluster", "list").output.contains("env (http://env:1) (Default)"))
            world.variables["APUS_TLS_VERIFY"] = "perhaps"
            #expect(await world.run("cluster", "list").status == 6)
        }
    }

    @Test func findsTheServerOfThisUser() async throws {
        try await TemporaryFolder.with { folder in
            let world = World(folder)
            let file = folder.appending(".local").appending("share").appending("apus").appending("credentials.json")
            try file.write(#"{"endpoint":"http://127.0.0.1:8080","username":"oscar","password":"pw"}"#.utf8)
            #expect(await world.run("cluster", "list").output == "local (http://127.0.0.1:8080) (Default)\n")
            // A configuration of one's own goes before it; it can still be named.
            #expect(await world.run("cluster", "add", "lab", "http://lab").status == 0)
            #expect(await world.run("cluster", "default").output == "lab\n")
            #expect(await world.run("cluster", "default", "--set", "local").output == "local\n")
            try file.write("{".utf8)
            #expect(await world.run("cluster", "list").status == 6)
        }
    }

    @Test func saysHowToBegin() async throws {
        let outcome = try await TemporaryWorld.run(["service", "list"])
        #expect(outcome.status == 3)
        #expect(outcome.error.contains("apus serve"))
    }
}
