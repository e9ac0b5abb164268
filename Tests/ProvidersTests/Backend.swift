import AsyncHTTPClient
import Glibc
import LoopbackServer
import Model
import NIOCore
import Subprocess
import SystemPackage
import Testing

@testable import Providers

/// A real server that a provider is tested against.
enum Backend: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case rcloneWebDAV, wsgidav, rcloneS3

    var testDescription: String { rawValue }

    private var program: String { self == .wsgidav ? "wsgidav" : "rclone" }

    /// Where the server's program is: in `APUS_TEST_VENV` or in the checkout's own environment.
    private var executable: FilePath? {
        let source = FilePath(#filePath).removingLastComponent().removingLastComponent()
            .removingLastComponent()
        var places = [source.appending(".venv")]
        if let given = getenv("APUS_TEST_VENV") { places.insert(FilePath(platformString: given), at: 0) }
        return places.map { $0.appending("bin").appending(program) }.first { access($0.string, X_OK) == 0 }
    }

    /// Runs `body` with a server that keeps its files in a directory; ends the test with a reason where there
    /// is no such server here.
    func with<Result: Sendable>(
        _ body: @escaping @Sendable (RunningBackend) async throws -> Result
    ) async throws -> Result {
        guard let executable else {
            try Test.cancel("\(program) is neither in $APUS_TEST_VENV/bin nor in .venv/bin")
        }
        return try await withTemporaryDirectory { directory in
            let root = directory.appending("root")
            try #require(mkdir(root.string, 0o700) == 0)
            let server = RunningBackend(
                backend: self,
                directory: directory,
                root: root,
                port: try await LoopbackServer.closedPort()
            )
            return try await withHTTPClient { client in
                try await withThrowingTaskGroup(of: Void.self) { group in
                    let arguments = try arguments(server)
                    group.addTask {
                        _ = try await run(
                            .path(executable),
                            arguments: Arguments(arguments),
                            output: .discarded,
                            error: .discarded
                        )
                    }
                    // Cancelling kills the server; how it ended does not matter.
                    defer { group.cancelAll() }
                    try await server.awaitReady(client)
                    return try await body(server)
                }
            }
        }
    }

    private func arguments(_ server: RunningBackend) throws -> [String] {
        let address = "127.0.0.1:\(server.port)"
        switch self {
        case .rcloneWebDAV:
            return [
                "serve", "webdav", server.root.string, "--addr", address, "--user", RunningBackend.user,
                "--pass", RunningBackend.password, "--config", "/dev/null",
            ]
        case .rcloneS3:
            return [
                "serve", "s3", server.root.string, "--addr", address, "--auth-key",
                "\(RunningBackend.user),\(RunningBackend.password)", "--config", "/dev/null",
            ]
        case .wsgidav:
            let users: JSONObject = [
                RunningBackend.user: .object(["password": .string(RunningBackend.password)])
            ]
            let settings: JSONObject = [
                "host": .string("127.0.0.1"),
                "port": .integer(server.port),
                "provider_mapping": .map(["/": server.root.string]),
                "http_authenticator": .object([
                    "accept_basic": .bool(true), "accept_digest": .bool(false),
                    "default_to_digest": .bool(false),
                ]),
                "simple_dc": .object(["user_mapping": .object(["*": .object(users)])]),
            ]
            let file = server.directory.appending("wsgidav.json")
            try write(JSONValue.object(settings).bytes(), to: file)
            return ["--config", file.string]
        }
    }
}

/// A server that runs.
struct RunningBackend: Sendable {
    static let user = "apususer"
    static let password = "apus pass:ü"

    let backend: Backend
    let directory: FilePath
    /// Where the server keeps what it is given: buckets and folders are directories.
    let root: FilePath
    let port: Int

    /// A file to send.
    func file(_ bytes: some Sequence<UInt8>, named name: String = "source") throws -> FilePath {
        let path = directory.appending(name)
        try write(bytes, to: path)
        return path
    }

    /// What the server holds under a path.
    func stored(_ path: String) throws -> [UInt8] { try read(root.appending(path)) }

    /// The provider for this server, by way of a service's declaration.
    func provider(
        _ client: HTTPClient,
        password: String = RunningBackend.password,
        port: Int? = nil
    ) throws -> any Provider {
        let address = "http://127.0.0.1:\(port ?? self.port)"
        var declared = StorageProviders()
        switch backend {
        case .rcloneS3:
            declared.minio["test"] = .init(endpoint: address, accessKey: Self.user, secretKey: password)
            return try ProviderFactory.make(for: ProviderID(.minio, "test"), in: declared, httpClient: client)
        case .rcloneWebDAV, .wsgidav:
            declared.webdav["test"] = .init(hostname: address, login: Self.user, password: password)
            return try ProviderFactory.make(
                for: ProviderID(.webdav, "test"),
                in: declared,
                httpClient: client
            )
        }
    }

    /// Waits until the server takes connections.
    ///
    /// Another program's start has no event to wait for, hence the short pauses.
    fileprivate func awaitReady(_ client: HTTPClient) async throws {
        for _ in 0..<1500 {
            let request = HTTPClientRequest(url: "http://127.0.0.1:\(port)/")
            if let response = try? await client.execute(request, timeout: .seconds(5)) {
                _ = try? await response.body.collect(upTo: 1 << 20)
                return
            }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw ProviderError(.unreachable, "\(backend) did not start")
    }
}
