import AsyncHTTPClient
import Glibc
import SystemPackage
import Testing
import _NIOFileSystem

@testable import Providers

/// A directory of its own for one test, removed with all that is in it at the end.
func withTemporaryDirectory<Result>(_ body: (FilePath) async throws -> Result) async throws -> Result {
    var template = Array("/tmp/apus-providers-XXXXXX".utf8CString)
    let made = try #require(mkdtemp(&template))
    let directory = FilePath(platformString: made)
    do {
        let result = try await body(directory)
        try await removeTree(directory)
        return result
    } catch {
        try await removeTree(directory)
        throw error
    }
}

private func removeTree(_ path: FilePath) async throws {
    try await FileSystem.shared.removeItem(at: path, strategy: .sequential, recursively: true)
}

/// An HTTP client as the program makes it, shut down at the end.
func withHTTPClient<Result>(_ body: (HTTPClient) async throws -> Result) async throws -> Result {
    var configuration = HTTPClient.Configuration()
    configuration.redirectConfiguration = .disallow
    configuration.connectionPool.retryConnectionEstablishment = false
    let client = HTTPClient(configuration: configuration)
    do {
        let result = try await body(client)
        try await client.shutdown()
        return result
    } catch {
        try await client.shutdown()
        throw error
    }
}

func write(_ bytes: some Sequence<UInt8>, to path: FilePath) throws {
    let file = try FileDescriptor.open(
        path,
        .writeOnly,
        options: [.create, .truncate],
        permissions: .ownerReadWrite
    )
    try file.closeAfter { _ = try file.writeAll(bytes) }
}

func read(_ path: FilePath) throws -> [UInt8] {
    let file = try FileDescriptor.open(path, .readOnly)
    return try file.closeAfter {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 1 << 20)
        while case let count = try chunk.withUnsafeMutableBytes({ try file.read(into: $0) }), count > 0 {
            all += chunk[..<count]
        }
        return all
    }
}

/// What `work` throws as a provider's error; an issue and `nil` where it throws nothing.
func failure(
    _ work: () async throws(ProviderError) -> Void,
    sourceLocation: SourceLocation = #_sourceLocation
) async -> ProviderError? {
    do {
        try await work()
        Issue.record("nothing was thrown", sourceLocation: sourceLocation)
        return nil
    } catch {
        return error
    }
}
