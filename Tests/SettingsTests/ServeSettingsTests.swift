import Model
import Settings
import Testing

@Suite struct ServeSettingsTests {
    static let machine = ServeSettings.Machine(cores: 2, memory: .mebibytes(1000), isRoot: false)

    func settings(
        flags: [String: String] = [:],
        environment: [String: String] = [:],
        file: String? = nil
    ) throws -> ServeSettings {
        let content = try file.map { (path: "apus.yaml", content: try JSONValue.parse($0)) }
        let values = try SettingValues(flags: flags, environment: environment, file: content)
        return try ServeSettings(values, machine: Self.machine, environment: environment)
    }

    @Test func hasDefaultsThatWork() throws {
        let settings = try settings(environment: ["HOME": "/home/ada"])
        #expect(settings.listen.description == "127.0.0.1:8080")
        #expect(settings.s3Listen.description == "127.0.0.1:9000")
        #expect(settings.data == "/home/ada/.local/share/apus")
        #expect(settings.cpu == MilliCPU(2000))
        #expect(settings.memory == .mebibytes(900))
        #expect(!settings.runsAllAsProcesses)
    }

    @Test func rootAndXDGHaveTheirOwnPlaces() throws {
        let xdg = try settings(environment: ["HOME": "/home/ada", "XDG_DATA_HOME": "/data"])
        #expect(xdg.data == "/data/apus")
        let values = try SettingValues(flags: [:], environment: [:], file: nil)
        let root = ServeSettings.Machine(cores: 1, memory: .mebibytes(1), isRoot: true)
        #expect(try ServeSettings(values, machine: root, environment: [:]).data == "/var/lib/apus")
    }

    @Test func sharesLimitsAndReserves() throws {
        let standard = try settings()
        #expect(standard.shares.isEmpty && standard.queueLimit == nil && standard.diskReserve == nil)
        let given = try settings(flags: [
            "shares": "ada=3, bob=1,x=y=2", "queue-limit": "1000", "disk-reserve": "1Gi", "memory-reserve": "64Mi",
        ])
        #expect(given.shares == ["ada": 3, "bob": 1, "x=y": 2] && given.queueLimit == 1000)
        #expect(given.diskReserve == .mebibytes(1024) && given.memoryReserve == .mebibytes(64))
        #expect(try settings(flags: ["queue-limit": "none"]).queueLimit == nil)
    }

    @Test func flagsBeatEnvironmentBeatsFile() throws {
        let file = #"{"listen": "127.0.0.1:1", "s3-listen": "127.0.0.1:1", "grace": 1}"#
        let environment = ["APUS_LISTEN": "127.0.0.1:2", "APUS_S3_LISTEN": "127.0.0.1:2"]
        let settings = try settings(flags: ["listen": "127.0.0.1:3"], environment: environment, file: file)
        #expect(settings.listen.port == 3)
        #expect(settings.s3Listen.port == 2)
        #expect(settings.grace == .seconds(1))
    }

    @Test(
        arguments: [
            ("none", []), ("s3.example.org", ["s3.example.org"]), ("A, b.C", ["a", "b.c"]),
        ] as [(String, [String])])
    func readsDomains(text: String, domains: [String]) throws {
        #expect(try settings(flags: ["s3-domains": text]).s3Domains == domains)
        #expect(try settings().s3Domains == ["localhost", "s3.localhost"])
    }

    @Test(arguments: [
        ("listen", "8080"), ("listen", "host:"), ("listen", "host:65536"), ("listen", ":80"), ("listen", "::1:80"),
        ("s3-domains", "a..b"), ("s3-domains", "a,"), ("s3-domains", "a_b"), ("s3-domains", "-a"),
        ("s3-endpoint", "store:9000"), ("s3-endpoint", "http://store/path"), ("sandbox", "vm"), ("network", "all"),
        ("cpu", "0"), ("cpu", "-1"), ("cpu", "two"), ("memory", "0"), ("memory", "1Zi"), ("grace", "soon"),
        ("grace", "-1s"), ("durability", "sometimes"), ("keep-jobs", "99999999d"), ("log-level", "loud"),
        ("shares", "ada"), ("shares", "ada=0"), ("shares", "ada=1,ada=2"), ("shares", "=1"), ("shares", "ada=10001"),
        ("shares", ""), ("queue-limit", "0"), ("queue-limit", "-1"), ("queue-limit", "many"), ("disk-reserve", "0"),
        ("memory-reserve", "some"), ("log-format", "xml"), ("max-event", ""),
    ])
    func namesAMalformedSetting(name: String, text: String) throws {
        #expect {
            _ = try settings(flags: [name: text])
        } throws: { error in
            "\(error)".contains("--\(name)")
        }
    }

    @Test(arguments: [
        (#"{"lisen": "x:1"}"#, "did you mean \"listen\""), (#"{"colour": "red"}"#, "\"colour\""),
        (#"{"listen": ["a:1"]}"#, "single value"), (#"[1]"#, "name: value"), (#"{"cpu": {}}"#, "single value"),
    ])
    func refusesAnUnknownKeyOfTheFile(file: String, hint: String) {
        #expect {
            _ = try settings(file: file)
        } throws: { error in
            "\(error)".contains(hint) && "\(error)".contains("apus.yaml")
        }
    }

    @Test func neverShowsASecret() {
        #expect {
            _ = try settings(file: #"{"password": ""}"#)
        } throws: { error in
            "\(error)".contains("password")
        }
    }

    @Test(arguments: [("[::1]:80", "::1", 80), ("0.0.0.0:0", "0.0.0.0", 0), ("host.example:443", "host.example", 443)])
    func readsAddresses(text: String, host: String, port: Int) {
        let address = ServeSettings.Address(text)
        #expect(address?.host == host && address?.port == port)
        #expect(address?.description == text)
    }
}
