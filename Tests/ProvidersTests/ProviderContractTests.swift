import LoopbackServer
import Model
import SystemPackage
import Testing

@testable import Providers

/// What every provider must do, run against every server.
@Suite(.timeLimit(.minutes(2))) struct ProviderContractTests {
    @Test(arguments: Backend.allCases)
    func storesUnderThePathAndTheName(backend: Backend) async throws {
        try await backend.with { server in
            try await withHTTPClient { client in
                let provider = try server.provider(client)
                try await provider.check()
                let file = try server.file(Array("hello".utf8))
                try await provider.put(file: file, name: "out.txt", at: "bucket/folder")
                #expect(try server.stored("bucket/folder/out.txt") == Array("hello".utf8))
                // Folders that lead there, slashes too many, and a path that is only a bucket.
                try await provider.put(file: file, name: "a/b/c/out.txt", at: "/bucket//deep/er/")
                #expect(try server.stored("bucket/deep/er/a/b/c/out.txt") == Array("hello".utf8))
                try await provider.put(file: file, name: "top.txt", at: "bucket")
                #expect(try server.stored("bucket/top.txt") == Array("hello".utf8))
            }
        }
    }

    /// A real foreign store, over a link that breaks off again and again: whole in the end, in parts or not.
    @Test(arguments: [(Backend.rcloneS3, 13), (.rcloneS3, 1), (.rcloneWebDAV, 3)])
    func arrivesWholeOverABadLink(backend: Backend, mebibytes: Int) async throws {
        try await backend.with { server in
            try await withHTTPClient { client in
                try await FaultyLink.with(to: server.port) { link in
                    let provider = try server.provider(client, port: link.port)
                    let bytes = (0..<(mebibytes << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 12) }
                    let file = try server.file(bytes)
                    let memory = TransferMemory()
                    var failures = 0
                    // Each time it gets further, at last the whole way.
                    for _ in 0..<40 {
                        link.set { ($0.bytesUp, $0.bytesDown) = (failures * (700 << 10), 300 * (failures + 1)) }
                        let transfer = Transfer(
                            file: file, name: "x", path: "bucket/f", record: memory.record(mayHaveArrived: failures > 0)
                        )
                        do {
                            try await provider.put(transfer)
                            break
                        } catch {
                            #expect((error as? ProviderError)?.isTransient == true, "\(error)")
                            failures += 1
                        }
                    }
                    #expect(failures > 0 && link.broken > 0)
                    #expect(try server.stored("bucket/f/x") == bytes)
                }
            }
        }
    }

    @Test(arguments: Backend.allCases)
    func keepsEveryCharacterOfAName(backend: Backend) async throws {
        let names = [
            "with space.txt",
            "ünï/cødé 日本.txt", "plus+and&.txt", "percent%20%2F.txt", "hash#mark?.txt",
            "semi;colon=,.txt",
            "'quotes'(1)!.txt", "tilde~at@.txt", ".hidden", "no extension/x", "brackets[0]{1}.txt",
            "e\u{301}.txt",
        ]
        try await backend.with { server in
            try await withHTTPClient { client in
                let provider = try server.provider(client)
                for name in names {
                    let file = try server.file(Array(name.utf8))
                    try await provider.put(file: file, name: name, at: "bucket/in put")
                    #expect(try server.stored("bucket/in put/\(name)") == Array(name.utf8), "\(name)")
                }
            }
        }
    }

    @Test(arguments: Backend.allCases)
    func replacesWhatIsThere(backend: Backend) async throws {
        try await backend.with { server in
            try await withHTTPClient { client in
                let provider = try server.provider(client)
                for content in ["a longer first version", "second", ""] {
                    let file = try server.file(Array(content.utf8))
                    try await provider.put(file: file, name: "x", at: "bucket/f")
                    #expect(try server.stored("bucket/f/x") == Array(content.utf8))
                }
            }
        }
    }

    @Test(arguments: Backend.allCases)
    func storesManyAtOnce(backend: Backend) async throws {
        try await backend.with { server in
            try await withHTTPClient { client in
                let provider = try server.provider(client)
                let file = try server.file(Array("many".utf8))
                try await withThrowingTaskGroup { group in
                    for index in 0..<24 {
                        group.addTask {
                            try await Self.putInTheEnd(file, "d\(index % 3)/\(index)", at: "bucket/m", provider)
                        }
                    }
                    try await group.waitForAll()
                }
                for index in 0..<24 {
                    #expect(try server.stored("bucket/m/d\(index % 3)/\(index)") == Array("many".utf8))
                }
            }
        }
    }

    /// Stores a file as deliveries do: what failed for now is tried again.
    ///
    /// rclone's S3 server answers some of many uploads at once with an internal error.
    private static func putInTheEnd(
        _ file: FilePath,
        _ name: String,
        at path: String,
        _ provider: any Provider
    ) async throws {
        for _ in 0..<10 {
            do throws(ProviderError) {
                return try await provider.put(file: file, name: name, at: path)
            } catch {
                guard error.isTransient else { throw error }
            }
        }
        try await provider.put(file: file, name: name, at: path)
    }

    @Test(arguments: Backend.allCases)
    func streamsABigFile(backend: Backend) async throws {
        try await backend.with { server in
            try await withHTTPClient { client in
                let block = (0..<(1 << 20)).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
                let big = server.directory.appending("big")
                let file = try FileDescriptor.open(
                    big,
                    .writeOnly,
                    options: [.create],
                    permissions: .ownerReadWrite
                )
                try file.closeAfter { for _ in 0..<64 { _ = try file.writeAll(block) } }
                let provider = try server.provider(client)
                try await provider.put(file: big, name: "big.bin", at: "bucket")
                #expect(try server.stored("bucket/big.bin") == read(big))
            }
        }
    }

    @Test(arguments: Backend.allCases)
    func refusesNamesThatLeadElsewhere(backend: Backend) async throws {
        try await backend.with { server in
            try await withHTTPClient { client in
                let provider = try server.provider(client)
                let file = try server.file(Array("evil".utf8))
                for name in [
                    "../x", "a/../../x", "/etc/x", "", ".", "a//b", "a/", "..\\x", "a\u{0}b", "a\nb",
                ] {
                    let error = await failure { () async throws(ProviderError) in
                        try await provider.put(file: file, name: name, at: "bucket/f")
                    }
                    #expect(error?.code == .invalidConfiguration, "\(name)")
                }
                let error = await failure { () async throws(ProviderError) in
                    try await provider.put(file: file, name: "x", at: "bucket/../../f")
                }
                #expect(error?.code == .invalidConfiguration)
            }
        }
    }

    @Test(arguments: Backend.allCases)
    func tellsWrongCredentialsFromSilence(backend: Backend) async throws {
        try await backend.with { server in
            try await withHTTPClient { client in
                let file = try server.file(Array("x".utf8))
                let stranger = try server.provider(client, password: "wrong password")
                for error in [
                    await failure { () async throws(ProviderError) in try await stranger.check() },
                    await failure { () async throws(ProviderError) in
                        try await stranger.put(file: file, name: "x", at: "bucket")
                    },
                ] {
                    #expect(error?.code == .refused)
                    #expect(error?.isTransient == false)
                    #expect(error?.message.contains("wrong password") == false)
                }
                let nobody = try server.provider(client, port: try await LoopbackServer.closedPort())
                for error in [
                    await failure { () async throws(ProviderError) in try await nobody.check() },
                    await failure { () async throws(ProviderError) in
                        try await nobody.put(file: file, name: "x", at: "bucket")
                    },
                ] {
                    #expect(error?.code == .unreachable)
                    #expect(error?.isTransient == true)
                }
            }
        }
    }

    @Test(arguments: Backend.allCases)
    func saysWhatIsWrongWithTheFile(backend: Backend) async throws {
        try await backend.with { server in
            try await withHTTPClient { client in
                let provider = try server.provider(client)
                for path in [server.directory.appending("missing"), server.directory] {
                    let error = await failure { () async throws(ProviderError) in
                        try await provider.put(file: path, name: "x", at: "bucket")
                    }
                    #expect(error?.code == .local)
                    #expect(error?.message.contains(path.string) == true)
                }
            }
        }
    }
}
