import Model
import Settings
import Testing

@Suite struct WebhookSettingTests {
    func webhooks(
        flags: [String] = [],
        environment: [String: String] = [:],
        file: String? = nil
    ) throws -> [WebhookSetting] {
        let content = try file.map { (path: "apus.yaml", content: try JSONValue.parse($0)) }
        let values = try SettingValues(flags: [:], webhooks: flags, environment: environment, file: content)
        return try ServeSettings(values, machine: ServeSettingsTests.machine, environment: environment).webhooks
    }

    @Test func comeFromEverywhere() throws {
        #expect(try webhooks().isEmpty)
        let all = try webhooks(
            flags: ["audit=https://a.example/hook?x=1=2"],
            environment: [
                "APUS_WEBHOOK_AUDIT": "http://loses.example", "APUS_WEBHOOK_AUDIT_TOKEN": "secret",
                "APUS_WEBHOOK_TWO_WORDS": "http://b.example", "APUS_WEBHOOK_EMPTY": "",
            ],
            file: #"{"webhook": {"audit": {"url": "http://loses.example", "token": "loses"}, "c": "http://c.example"}}"#
        )
        #expect(
            all == [
                WebhookSetting(name: "audit", url: "https://a.example/hook?x=1=2", token: "secret"),
                WebhookSetting(name: "c", url: "http://c.example"),
                WebhookSetting(name: "two-words", url: "http://b.example"),
            ]
        )
    }

    @Test(arguments: [
        "audit", "=http://a", "audit=", "audit=a.example", "audit=ftp://a", "audit=http://", "audit=http:///x",
        "audit=http://a b", "Audit=http://a", "a_b=http://a", "audit=http://é",
    ])
    func refusesFlags(flag: String) {
        #expect { _ = try webhooks(flags: [flag]) } throws: { "\($0)".contains("--webhook") }
    }

    @Test(arguments: [
        ["APUS_WEBHOOK_": "http://a"], ["APUS_WEBHOOK_A": "a"], ["APUS_WEBHOOK_A_TOKEN": "secret"],
        ["APUS_WEBHOOK_A": "http://a", "APUS_WEBHOOK_A_TOKEN": "se\ncret"],
    ])
    func refusesVariables(environment: [String: String]) {
        #expect { _ = try webhooks(environment: environment) } throws: {
            "\($0)".contains("APUS_WEBHOOK_") && !"\($0)".contains("cret")
        }
    }

    @Test(arguments: [
        #"{"webhook": "http://a"}"#, #"{"webhook": {"a": 1}}"#, #"{"webhook": {"a": {"uri": "http://a"}}}"#,
        #"{"webhook": {"a": {"token": "t"}}}"#, #"{"webhook": {"a": {"url": ["http://a"]}}}"#,
    ])
    func refusesTheFile(file: String) {
        #expect { _ = try webhooks(file: file) } throws: { "\($0)".contains("apus.yaml") }
    }
}
