package import Model

/// Everything that `apus serve` can be told, checked.
package struct ServeSettings: Sendable {
    /// A host and a port to listen on.
    package struct Address: Sendable, Hashable, CustomStringConvertible {
        package var host: String
        /// 0 for any free one.
        package var port: Int

        package init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        /// `host:port` or `[address]:port`.
        package init?(_ text: String) {
            guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
                return nil
            }
            var host = text[..<colon]
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = host.dropFirst().dropLast()
            } else if host.contains(":") {
                return nil
            }
            guard !host.isEmpty else { return nil }
            self.init(host: String(host), port: Int(port))
        }

        package var description: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
    }

    package enum Network: String, Sendable, CaseIterable { case none, outbound }
    package enum DurabilityChoice: String, Sendable, CaseIterable { case always, batch, never }
    package enum Overflow: String, Sendable, CaseIterable { case wait, dropOldest = "drop-oldest" }
    package enum LogFormat: String, Sendable, CaseIterable { case text, json }

    /// What the machine has.
    package struct Machine: Sendable {
        package var cores: Int
        package var memory: ByteCount
        package var isRoot: Bool

        package init(cores: Int, memory: ByteCount, isRoot: Bool) {
            self.cores = cores
            self.memory = memory
            self.isRoot = isRoot
        }
    }

    package var listen: Address
    package var s3Listen: Address
    /// `nil` to derive it from where the store listens.
    package var s3Endpoint: String?
    /// In lower case; empty for none.
    package var s3Domains: [String]
    package var data: String
    package var runsAllAsProcesses: Bool
    package var network: Network
    package var cpu: MilliCPU
    package var memory: ByteCount
    /// The weights of owners, at least 1.
    package var shares: [String: Int]
    /// Of each user of whom nothing else was said.
    package var defaultQuota: Quota
    /// `nil` for no limit.
    package var queueLimit: Int?
    /// `nil` for the standard, as below.
    package var diskReserve: ByteCount?
    package var memoryReserve: ByteCount?
    package var grace: Duration
    package var durability: DurabilityChoice
    package var maxEvent: ByteCount
    package var jobLogLimit: ByteCount
    package var keepJobs: Duration
    package var keepLogs: ByteCount
    /// `nil` for no limit.
    package var keepJobCount: Int?
    package var keepEvents: Int
    package var deliveryPause: Duration
    /// `nil` for no limit.
    package var deliveryQuota: ByteCount?
    package var deliveryOverflow: Overflow
    /// By name.
    package var webhooks: [WebhookSetting]
    /// `nil` where nobody wants traces.
    package var otlpEndpoint: String?
    package var logLevel: String
    package var logFormat: LogFormat
    package var identity: IdentitySettings
    package var username: String?
    package var password: String?
    package var s3AccessKey: String?
    package var s3SecretKey: String?

    /// - Throws: `SettingError` for the first setting that is malformed.
    package init(
        _ values: SettingValues,
        machine: Machine,
        environment: [String: String]
    ) throws(SettingError) {
        listen = try values.value(.listen, Address.init, orElse: Address(host: "127.0.0.1", port: 8080))
        s3Listen = try values.value(.s3Listen, Address.init, orElse: Address(host: "127.0.0.1", port: 9000))
        s3Endpoint = try values.value(.s3Endpoint, Self.url, orElse: nil)
        s3Domains = try values.value(.s3Domains, Self.domains, orElse: ["localhost", "s3.localhost"])
        let home = environment["HOME"] ?? "/"
        let dataHome = environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil } ?? "\(home)/.local/share"
        data = try values.value(.data, Self.path, orElse: machine.isRoot ? "/var/lib/apus" : "\(dataHome)/apus")
        runsAllAsProcesses = try values.value(.sandbox, SandboxKind.init(rawValue:), orElse: .container) == .process
        network = try values.value(.network, Network.init(rawValue:), orElse: .outbound)
        cpu = try values.value(.cpu, Self.cores, orElse: MilliCPU(Int64(machine.cores) * 1000))
        memory = try values.value(.memory, Self.size, orElse: ByteCount(machine.memory.bytes / 10 * 9))
        shares = try values.value(.shares, Self.shares, orElse: [:])
        defaultQuota = try values.value(.defaultQuota, Self.quota, orElse: Quota())
        queueLimit = try values.value(.queueLimit, Self.positive, orElse: nil)
        diskReserve = try values.value(.diskReserve, Self.reserve, orElse: nil)
        memoryReserve = try values.value(.memoryReserve, Self.reserve, orElse: nil)
        grace = try values.value(.grace, Self.duration, orElse: .seconds(30))
        durability = try values.value(.durability, DurabilityChoice.init(rawValue:), orElse: .always)
        maxEvent = try values.value(.maxEvent, Self.size, orElse: .mebibytes(32))
        jobLogLimit = try values.value(.jobLogLimit, Self.size, orElse: .mebibytes(64))
        keepJobs = try values.value(.keepJobs, Self.duration, orElse: .seconds(30 * 86_400))
        keepLogs = try values.value(.keepLogs, Self.size, orElse: .mebibytes(4096))
        keepJobCount = try values.value(.keepJobCount, Self.count, orElse: 0)
        if keepJobCount == 0 { keepJobCount = nil }
        keepEvents = try values.value(.keepEvents, Self.count, orElse: 100_000)
        deliveryPause = try values.value(.deliveryPause, Self.duration, orElse: .seconds(30))
        deliveryQuota = try values.value(.deliveryQuota, { Self.size($0).map(Optional.some) }, orElse: nil)
        deliveryOverflow = try values.value(.deliveryOverflow, Overflow.init(rawValue:), orElse: .wait)
        webhooks = values.webhooks
        otlpEndpoint = try values.value(.otlpEndpoint, Self.url, orElse: nil)
        logLevel = try values.value(.logLevel, Self.level, orElse: "info")
        logFormat = try values.value(.logFormat, LogFormat.init(rawValue:), orElse: .text)
        identity = try IdentitySettings(values)
        username = try values.value(.username, Self.nonEmpty, orElse: nil)
        password = try values.value(.password, Self.nonEmpty, orElse: nil)
        s3AccessKey = try values.value(.s3AccessKey, Self.nonEmpty, orElse: nil)
        s3SecretKey = try values.value(.s3SecretKey, Self.nonEmpty, orElse: nil)
    }

    private static func nonEmpty(_ text: String) -> String?? { text.isEmpty ? nil : .some(text) }

    private static func path(_ text: String) -> String? { text.isEmpty ? nil : text }

    private static func url(_ text: String) -> String?? {
        guard text.hasPrefix("http://") || text.hasPrefix("https://"), text.split(separator: "/").count == 2 else {
            return nil
        }
        return .some(text.hasSuffix("/") ? String(text.dropLast()) : text)
    }

    /// Host names, separated by commas, or `none`.
    private static func domains(_ text: String) -> [String]? {
        if text == "none" { return [] }
        let names = text.lowercased().split(separator: ",", omittingEmptySubsequences: false).map { part in
            String(part.drop { $0 == " " }.prefix { $0 != " " })
        }
        let areNames = names.allSatisfy { name in
            let labels = name.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
            return name.utf8.count <= 253
                && labels.allSatisfy { label in
                    (1...63).contains(label.count) && label.first != UInt8(ascii: "-")
                        && label.last != UInt8(ascii: "-")
                        && label.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x2D }
                }
        }
        return areNames ? names : nil
    }

    private static func cores(_ text: String) -> MilliCPU? {
        guard let quantity = try? Quantity(text), let cpu = try? quantity.milliCPU(), cpu >= MilliCPU(100) else {
            return nil
        }
        return cpu
    }

    private static func size(_ text: String) -> ByteCount? {
        guard let quantity = try? Quantity(text), let size = try? quantity.byteCount(), size > .zero else { return nil }
        return size
    }

    private static func count(_ text: String) -> Int? { Int32(text).flatMap { $0 >= 0 ? Int($0) : nil } }
    /// A whole number of at least 1, or `none`.
    private static func positive(_ text: String) -> Int?? {
        if text == "none" { return .some(nil) }
        guard let number = Int(text), number > 0 else { return nil }
        return .some(number)
    }

    /// `owner=weight`, separated by commas; weights are from 1 to 10,000.
    private static func shares(_ text: String) -> [String: Int]? {
        var shares: [String: Int] = [:]
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let equals = part.lastIndex(of: "="), let weight = Int(part[part.index(after: equals)...]),
                (1...10_000).contains(weight)
            else { return nil }
            let owner = String(part[..<equals].drop { $0 == " " })
            guard !owner.isEmpty, shares.updateValue(weight, forKey: owner) == nil else { return nil }
        }
        return shares
    }

    private static func quota(_ text: String) -> Quota? {
        if text == "none" { return Quota() }
        return try? Quota(text: text)  // The help of the setting says what may stand there.
    }

    private static func reserve(_ text: String) -> ByteCount?? { size(text).map { .some($0) } }

    private static func duration(_ text: String) -> Duration? { Duration(text: text) }

    private static func level(_ text: String) -> String? {
        let known = ["trace", "debug", "info", "notice", "warning", "error", "critical"]
        return known.contains(text.lowercased()) ? text.lowercased() : nil
    }
}
