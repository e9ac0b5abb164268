import APIClient
import ArgumentParser
import LoopbackServer
import Model
import NIOCore
import NIOHTTP1
import Synchronization
import SystemPackage

@testable import Commands

/// A root command with nothing of its own, as the program's.
struct TestRoot: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(commandName: "apus", discussion: ApusCommands.discussion, subcommands: ApusCommands.all)
    }
}

/// What a command line did.
struct Outcome: Sendable {
    var status: Int32
    var output: String
    var error: String
}

/// The world of one test: a home directory, an environment and a standard input.
struct World: Sendable {
    let home: FilePath
    var variables: [String: String] = [:]
    var input = ""
    var isTerminal = false
    /// What somebody at the terminal answers; `nil` where nobody can be asked.
    var answer: String?

    init(_ home: FilePath) { self.home = home }

    /// The folder of the configuration.
    var configuration: FilePath { home.appending(".config").appending("apus").appending("config.yaml") }

    /// A world whose default cluster is the server on that port.
    static func of(_ home: FilePath, port: Int) throws -> World {
        let world = World(home)
        try world.configuration.write(
            """
            oscar:
              test: {endpoint: "http://127.0.0.1:\(port)", auth_user: oscar, auth_password: secret, ssl_verify: true}
            default: test
            """.utf8)
        return world
    }

    /// Runs a command line.
    func run(_ arguments: String...) async -> Outcome { await run(arguments) }

    /// Runs a command line.
    func run(_ arguments: [String]) async -> Outcome {
        let written = Mutex((output: [UInt8](), error: [UInt8]()))
        var variables = variables
        variables["HOME"] = home.string
        var surroundings = Surroundings(
            variables: variables, workingDirectory: home, outputIsTerminal: isTerminal, errorIsTerminal: isTerminal,
            write: { (stream, bytes) throws(CommandError) in
                written.withLock { if stream == .output { $0.output += bytes } else { $0.error += bytes } }
            },
            readInput: { [input] _ in Array(input.utf8) },
            now: { Instant(seconds: 1_700_000_000) })
        surroundings.inputIsTerminal = answer != nil
        surroundings.readLine = { [answer] in answer }
        var status: Int32 = 0
        do {
            try await Surroundings.$current.withValue(surroundings) {
                let parsed = try TestRoot.parseAsRoot(arguments)
                if var command = parsed as? any AsyncParsableCommand { try await command.run() }
            }
        } catch {
            status = TestRoot.exitCode(for: error).rawValue
            let message = TestRoot.message(for: error)
            written.withLock { $0.error += Array(message.utf8) }
        }
        let texts = written.withLock { $0 }
        return Outcome(
            status: status, output: String(decoding: texts.output, as: UTF8.self),
            error: String(decoding: texts.error, as: UTF8.self))
    }
}

/// A cluster in memory: the API's routes that commands use, and below `/s3` an object store.
final class FakeCluster: Sendable {
    let store = FakeStore(buckets: ["data"], pageSize: 3)
    let services = Mutex<[String: JSONValue]>([:])
    let requests = Mutex<[String]>([])
    /// Answers that come before all others, by method and path.
    let overrides: [String: LoopbackResponse]

    init(_ overrides: [String: LoopbackResponse] = [:]) { self.overrides = overrides }

    var seen: [String] { requests.withLock { $0 } }

    @Sendable func answer(_ request: LoopbackRequest) -> LoopbackResponse {
        if request.path.hasPrefix("/s3") {
            var inner = request
            inner.target = String(request.target.dropFirst(3))
            return store.answer(inner)
        }
        requests.withLock { $0.append("\(request.method) \(request.target)") }
        if let override = overrides["\(request.method) \(request.path)"] { return override }
        guard request.headers.first(name: "authorization") != nil else { return LoopbackResponse(.unauthorized) }
        let host = request.headers.first(name: "host") ?? ""
        switch request.path {
        case "/system/config":
            return LoopbackResponse(
                text: """
                    {"minio_provider":{"endpoint":"http://\(host)/s3","verify":true,"access_key":"a","secret_key":"s",\
                    "region":"us-east-1"}}
                    """)
        case "/system/info": return LoopbackResponse(text: "{\"version\":\"v9\",\"architecture\":\"amd64\"}")
        case "/system/services": return servicesAnswer(request)
        default: return serviceAnswer(request)
        }
    }

    private func servicesAnswer(_ request: LoopbackRequest) -> LoopbackResponse {
        if request.method == .GET {
            let all = services.withLock { services in services.sorted { $0.key < $1.key }.map(\.value) }
            return LoopbackResponse(text: JSONValue.array(all).text())
        }
        guard let body = try? JSONValue.parse(request.text), let name = body["name"]?.stringValue else {
            return LoopbackResponse(.badRequest, text: "no name")
        }
        services.withLock { $0[name] = body }
        return LoopbackResponse(request.method == .POST ? .created : .noContent)
    }

    private func serviceAnswer(_ request: LoopbackRequest) -> LoopbackResponse {
        let prefix = "/system/services/"
        guard request.path.hasPrefix(prefix) else { return LoopbackResponse(.notFound, text: "404 page not found") }
        let name = String(request.path.dropFirst(prefix.count))
        let found = services.withLock { services in
            request.method == .DELETE ? services.removeValue(forKey: name) : services[name]
        }
        guard let found else { return LoopbackResponse(.notFound) }
        return request.method == .DELETE ? LoopbackResponse(.noContent) : LoopbackResponse(text: found.text())
    }
}

/// Runs `body` in a world with a fake cluster.
func withCluster(
    _ cluster: FakeCluster = FakeCluster(),
    _ body: @Sendable @escaping (World) async throws -> Void
) async throws {
    try await LoopbackServer.with(responder { cluster.answer($0) }) { port in
        try await TemporaryFolder.with { folder in try await body(try World.of(folder, port: port)) }
    }
}

/// A world that is gone after one command line.
enum TemporaryWorld {
    static func run(_ arguments: [String]) async throws -> Outcome {
        try await TemporaryFolder.with { await World($0).run(arguments) }
    }
}
