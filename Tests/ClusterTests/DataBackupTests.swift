import ClusterTesting
import Glibc
import LoopbackServer
import Model
import NIOHTTP1
import ObjectEngine
import StateStore
import Synchronization
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("A backup of the data directory", .serialized, .timeLimit(.minutes(5)))
struct DataBackupTests {
    @discardableResult
    static func backup(
        _ root: FilePath,
        to destination: FilePath,
        copies: Bool = false,
        whenAdvanced: @escaping @Sendable (StoreBackup.Summary) -> Void = { _ in }
    ) async throws -> DataBackup.Summary {
        let access = try await StoreAccess.open(at: root.appending("objects"), isExclusive: false)
        let backup = DataBackup(
            of: root, store: access, to: destination, copiesBytes: copies, whenAdvanced: whenAdvanced)
        do {
            let summary = try await backup.run()
            await access.close()
            return summary
        } catch {
            await access.close()
            throw error
        }
    }

    private func refusal(_ body: () async throws -> Void) async -> String {
        do { try await body() } catch let error as ClusterError {
            return error.message
        } catch {
            return "another error: \(error)"
        }
        return "no refusal"
    }

    @Test("results that wait for another cluster are in it, and arrive from there")
    func deliveries() async throws {
        let store = FakeStore(buckets: ["results"])
        let isDown = Atomic(true)
        let answer: LoopbackServer.Handler = { request in
            isDown.load(ordering: .relaxed) ? LoopbackResponse(.serviceUnavailable) : store.answer(request)
        }
        try await TemporaryFolder.with { folder in
            let (root, destination) = (folder.appending("data"), folder.appending("backup"))
            try await LoopbackServer.with(answer) { port in
                try await ClusterFixture.serve(at: root) { cluster in
                    try await cluster.create(
                        "s", script: DeliveryTests.script, more: DeliveryTests.outputs(["cloud": port]))
                    let job = try await cluster.jobs.post(
                        Array("payload".utf8), to: try ServiceName("s"), name: nil, principal: "p")
                    try await cluster.wait(job, for: .delivering)
                    let summary = try await Self.backup(root, to: destination)
                    #expect(summary.waiting == 1 && summary.missing == 0)
                }
                isDown.store(false, ordering: .relaxed)
                try await ClusterFixture.serve(at: destination) { cluster in
                    let jobs = try await cluster.ended(1)
                    #expect(jobs.map(\.state) == [.succeeded])
                    #expect(store.object("results", "cloud/r.txt")?.bytes == Array("payload".utf8))
                }
            }
        }
    }

    @Test("a server on it makes it a data directory like any other")
    func served() async throws {
        try await TemporaryFolder.with { folder in
            let (root, destination) = (folder.appending("data"), folder.appending("backup"))
            try await ClusterFixture.open(at: root) { cluster in
                try await cluster.create("s", script: "true")
                try await Self.backup(root, to: destination)
                #expect(try await Self.backup(root, to: destination).hasState)
                try await ClusterFixture.open(at: destination) { _ in
                    let text = await refusal { try await Self.backup(root, to: destination) }
                    #expect(text.contains("neither empty nor a backup"))
                }
                #expect(try BackupMarker.read(destination) == nil)
                let text = await refusal { try await Self.backup(root, to: destination) }
                #expect(text.contains("neither empty nor a backup"))
                // Nor is the source of one, nor somebody's folder.
                #expect(await refusal { try await Self.backup(root, to: root) }.contains("neither empty"))
                let other = try folder.appending("other/file").write("x".utf8).removingLastComponent()
                #expect(await refusal { try await Self.backup(root, to: other) }.contains("neither empty"))
                #expect(try other.names() == ["file"])
            }
        }
    }

    @Test("a copy of it is no backup to write into, but can be served")
    func copied() async throws {
        try await TemporaryFolder.with { folder in
            let (root, destination) = (folder.appending("data"), folder.appending("backup"))
            let (copy, moved) = (folder.appending("copy"), folder.appending("moved"))
            try await ClusterFixture.open(at: root) { cluster in
                try await cluster.create("s", script: "true")
                try await Self.backup(root, to: destination)
                try #require(system("cp -a \(destination.string) \(copy.string)") == 0)
                #expect(await refusal { try await Self.backup(root, to: copy) }.contains("is a copy of a backup"))
                #expect(rename(destination.string, moved.string) == 0)
                // Only moved, it is the same one.
                #expect(try await Self.backup(root, to: moved).hasState)
            }
            try await ClusterFixture.open(at: copy) { try await $0.recover() }
        }
    }

    @Test("one that another program works on is left alone")
    func inUse() async throws {
        try await TemporaryFolder.with { folder in
            let (root, destination) = (folder.appending("data"), folder.appending("backup"))
            try await ClusterFixture.open(at: root) { cluster in
                try await Self.backup(root, to: destination)
                guard case .taken(let lock) = try DataDirectory.takeLock(destination) else {
                    Issue.record("the lock is held")
                    return
                }
                #expect(await refusal { try await Self.backup(root, to: destination) }.contains("is in use"))
                #expect(await refusal { try DataDirectory.open(at: destination).close() }.contains("it is a backup"))
                #expect(try BackupMarker.read(destination)?.state == .finished)
                DataDirectory.release(lock)
                try await Self.backup(root, to: destination)
            }
        }
    }

    @Test("files of jobs that have ended leave it")
    func prunes() async throws {
        try await TemporaryFolder.with { folder in
            let (root, destination) = (folder.appending("data"), folder.appending("backup"))
            try await ClusterFixture.open(at: root) { cluster in
                try await cluster.create("s", script: "true")
                let event = [UInt8](repeating: 0x20, count: 70 << 10)
                for name in ["one", "two"] {
                    _ = try await cluster.jobs.post(
                        event, to: try ServiceName("s"), name: JobName(name), principal: "p")
                }
                #expect(try await Self.backup(root, to: destination).waiting == 2)
                try await cluster.jobs.remove(JobName("one"), of: try ServiceName("s"))
                #expect(try await Self.backup(root, to: destination).waiting == 1)
                #expect(try destination.appending("events").names() == ["two"])
                // One that should be there and is not is told.
                try #require(unlink(root.appending("events/two").string) == 0)
                #expect(try await Self.backup(root, to: destination).missing == 1)
            }
        }
    }
}

@Suite("The marker of a backup")
struct BackupMarkerTests {
    @Test("comes back from its text", arguments: ["/a", "/with space\nand line", "/ü"], BackupMarker.State.allCases)
    func text(path: String, state: BackupMarker.State) throws {
        let text = "\(state.rawValue)\n123 \(path)\n"
        let marker = try #require(BackupMarker(text: text))
        #expect(marker.state == state && marker.text == text)
    }

    @Test(
        "that says something else is none",
        arguments: [
            "finished", "finished\n", "done\n1 /a\n", "finished\n1 /a", "finished\n-1 /a\n", "finished\n1 a\n", "\n",
            "\0",
            "finished\n99999999999999999999999 /a\n", "finished\n/a\n", "FINISHED\n1 /a\n",
        ]
    )
    func malformed(text: String) async throws {
        #expect(BackupMarker(text: text) == nil)
        try await TemporaryFolder.with { root in
            try root.appending("BACKUP").write(text.utf8)
            #expect(throws: ClusterError.self) { try BackupMarker.read(root) }
            #expect(throws: ClusterError.self) { try DataDirectory.open(at: root) }
            #expect(try root.appending("BACKUP").readText() == text)
        }
    }

    @Test("of the first version is that of a finished backup, which is not written into")
    func first() async throws {
        let marker = try #require(BackupMarker(text: ""))
        #expect(marker.state == .finished)
        let isMade = try await TemporaryFolder.with { try marker.isMade(in: $0) }
        #expect(!isMade)
    }
}
