import ArgumentParser
import Commands
import Model
import Settings
import SystemPackage
import YAMLDocuments

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// `apus serve`.
struct ServeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Runs a cluster on this machine: API, object store, and what runs the functions.",
        discussion: """
            Each setting can be given as a flag, as a variable (APUS_ and its name in capitals, as APUS_S3_LISTEN), or in a \
            YAML file ("s3-listen: 127.0.0.1:9000"); flags beat variables, variables beat the file. The administrator's \
            name and password and the keys of the object store are made at the first start and written to \
            credentials.json in the data directory; APUS_USERNAME, APUS_PASSWORD, APUS_S3_ACCESS_KEY and \
            APUS_S3_SECRET_KEY set them. SIGTERM or Ctrl-C stops gracefully, a second Ctrl-C at once.
            """
    )

    @Option(help: "YAML file with settings. Also APUS_CONFIG.")
    var config: String?

    @OptionGroup var flags: SettingFlags
    @OptionGroup var identityFlags: IdentityFlags

    func run() async throws {
        let environment = Self.environment()
        do {
            let file = try readConfiguration(environment)
            let values = try SettingValues(
                flags: flags.given.merging(identityFlags.given) { $1 }, webhooks: flags.webhook,
                environment: environment, file: file)
            let settings = try ServeSettings(values, machine: .current, environment: environment)
            try await Server.run(settings)
        } catch let error as ExitCode {
            throw error
        } catch {
            Self.complain("\(error)")
            throw ExitCode(error is SettingError ? 6 : 1)
        }
    }

    private func readConfiguration(_ environment: [String: String]) throws -> (path: String, content: JSONValue)? {
        guard let path = config ?? environment["APUS_CONFIG"] else { return nil }
        let text: String
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly, options: .closeOnExec)
            var bytes = [UInt8](repeating: 0, count: 1 << 20)
            let count = try file.closeAfter { try bytes.withUnsafeMutableBytes { try file.read(into: $0) } }
            text = String(decoding: bytes[..<count], as: UTF8.self)
        } catch {
            throw SettingError(message: "the configuration file \(path) cannot be read: \(error)")
        }
        do { return (path, try YAMLDocument.parse(text)) } catch {
            throw SettingError(message: "\(path): \(error)")
        }
    }

    static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let text = entry.pointee {
            let line = String(cString: text)
            if let equals = line.firstIndex(of: "=") {
                variables[String(line[..<equals])] = String(line[line.index(after: equals)...])
            }
            entry += 1
        }
        return variables
    }

    private static func complain(_ text: String) {
        _ = try? FileDescriptor.standardError.writeAll("Error: \(text)\n".utf8)  // There is nobody else to tell.
    }
}

/// The flags of all settings that are no secrets.
struct SettingFlags: ParsableArguments {
    @Option(help: Self.help(.listen)) var listen: String?
    @Option(help: Self.help(.s3Listen)) var s3Listen: String?
    @Option(help: Self.help(.s3Endpoint)) var s3Endpoint: String?
    @Option(help: Self.help(.s3Domains)) var s3Domains: String?
    @Option(help: Self.help(.data)) var data: String?
    @Option(help: Self.help(.sandbox)) var sandbox: String?
    @Option(help: Self.help(.network)) var network: String?
    @Option(help: Self.help(.cpu)) var cpu: String?
    @Option(help: Self.help(.memory)) var memory: String?
    @Option(help: Self.help(.shares)) var shares: String?
    @Option(help: Self.help(.defaultQuota)) var defaultQuota: String?
    @Option(help: Self.help(.queueLimit)) var queueLimit: String?
    @Option(help: Self.help(.diskReserve)) var diskReserve: String?
    @Option(help: Self.help(.memoryReserve)) var memoryReserve: String?
    @Option(help: Self.help(.grace)) var grace: String?
    @Option(help: Self.help(.durability)) var durability: String?
    @Option(help: Self.help(.maxEvent)) var maxEvent: String?
    @Option(help: Self.help(.jobLogLimit)) var jobLogLimit: String?
    @Option(help: Self.help(.keepJobs)) var keepJobs: String?
    @Option(help: Self.help(.keepJobCount)) var keepJobCount: String?
    @Option(help: Self.help(.keepLogs)) var keepLogs: String?
    @Option(help: Self.help(.keepEvents)) var keepEvents: String?
    @Option(help: Self.help(.deliveryPause)) var deliveryPause: String?
    @Option(help: Self.help(.deliveryQuota)) var deliveryQuota: String?
    @Option(help: Self.help(.deliveryOverflow)) var deliveryOverflow: String?
    @Option(help: Self.help(.webhook)) var webhook: [String] = []
    @Option(help: Self.help(.otlpEndpoint)) var otlpEndpoint: String?
    @Option(help: Self.help(.logLevel)) var logLevel: String?
    @Option(help: Self.help(.logFormat)) var logFormat: String?

    static func help(_ setting: Setting) -> ArgumentHelp {
        ArgumentHelp("\(setting.help) (default: \(setting.standard))", valueName: setting.valueName)
    }

    /// The flags that were given, by name of the setting.
    var given: [String: String] {
        let all: [(Setting, String?)] = [
            (.listen, listen), (.s3Listen, s3Listen), (.s3Endpoint, s3Endpoint), (.s3Domains, s3Domains),
            (.data, data), (.sandbox, sandbox), (.network, network), (.cpu, cpu), (.memory, memory),
            (.shares, shares), (.defaultQuota, defaultQuota), (.queueLimit, queueLimit), (.diskReserve, diskReserve),
            (.memoryReserve, memoryReserve),
            (.grace, grace),
            (.durability, durability),
            (.maxEvent, maxEvent), (.jobLogLimit, jobLogLimit), (.keepJobs, keepJobs), (.keepLogs, keepLogs),
            (.keepJobCount, keepJobCount), (.keepEvents, keepEvents), (.otlpEndpoint, otlpEndpoint),
            (.deliveryPause, deliveryPause), (.deliveryQuota, deliveryQuota), (.deliveryOverflow, deliveryOverflow),
            (.logLevel, logLevel), (.logFormat, logFormat),
        ]
        var given: [String: String] = [:]
        for (setting, text) in all { given[setting.name] = text }
        return given
    }
}

extension ServeSettings.Machine {
    /// This machine.
    static var current: ServeSettings.Machine {
        let cores = max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))
        let memory = Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE)))
        return ServeSettings.Machine(cores: Int(cores), memory: ByteCount(memory), isRoot: geteuid() == 0)
    }
}
