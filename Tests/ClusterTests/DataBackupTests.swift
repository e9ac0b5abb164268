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

    @Test(
        "a cluster goes on from it: services, queued jobs, large events, events that were not routed",
        arguments: [false, true])
    func goesOn(copies: Bool) async throws {
        try await TemporaryFolder.with { folder in
            let (root, destination) = (folder.appending("data"), folder.appending("backup"))
            let large = String(repeating: "large ", count: 20_000)
            try await ClusterFixture.open(at: root) { cluster in
                try await cluster.create(
                    "upper", script: JobFlowTests.upper, input: ["inbox/raw"], output: ["outbox/done"])
                for number in 0..<5 { try await cluster.put("text \(number)", "raw/\(number)", in: "inbox") }
                _ = try await cluster.jobs.post(
                    Array(large.utf8), to: try ServiceName("upper"), name: JobName("posted"), principal: "p")
                try await cluster.allowedImages.set(["one"])
                try root.appending("credentials.json").write("{}".utf8)
                let summary = try await Self.backup(root, to: destination, copies: copies)
                #expect(summary.hasState && summary.waiting == 1 && summary.missing == 0)
                // What happens later does not reach it.
                try await cluster.put("late", "raw/late", in: "inbox")
                try await cluster.jobs.remove(JobName("posted"), of: try ServiceName("upper"))
            }
            #expect(
                Set(try destination.names()) == [
                    "BACKUP", "VERSION", "allowed-images.json", "credentials.json", "events", "lock", "objects",
                    "state.sqlite",
                ])
            for name in ["BACKUP", "credentials.json", "state.sqlite", "allowed-images.json"] {
                #expect(try destination.appending(name).mode() == 0o600, "\(name)")
            }
            let event = destination.appending("events/posted")
            #expect(try event.readText() == large)
            try await ClusterFixture.serve(at: destination) { cluster in
                let jobs = try await cluster.ended(6)
                #expect(jobs.allSatisfy { $0.state == .succeeded })
                #expect(Set(jobs.compactMap { $0.input?.key.text }) == Set((0..<5).map { "raw/\($0)" }))
                #expect(try await cluster.text("done/3.up", in: "outbox") == "TEXT 3")
                #expect(cluster.allowedImages.list == ["one"])
                #expect(try await cluster.text("raw/late", in: "inbox") == nil)
            }
        }
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

    /// What each backup of a busy cluster restores to: each object of the input has one job, and its result.
    @Test("no event is lost and none doubled, wherever the cluster is when it is made")
    func underWrites() async throws {
        try await TemporaryFolder.with { folder in
            let root = folder.appending("data")
            let copies = (0..<3).map { folder.appending("backup-\($0)") }
            try await ClusterFixture.serve(at: root) { cluster in
                try await cluster.create(
                    "upper", script: JobFlowTests.upper, input: ["inbox/in"], output: ["outbox/done"])
                let written = Mutex(0)
                let writer = Task {
                    for number in 0..<240 {
                        try await cluster.put("text \(number)", "in/\(number)", in: "inbox")
                        written.withLock { $0 = number + 1 }
                    }
                }
                for (index, copy) in copies.enumerated() {
                    try await eventually("some are written") { written.withLock { $0 } >= 30 + index * 60 }
                    try await Self.backup(root, to: copy)
                    // Again, into the same: the second takes the place of the first.
                    if index == 1 { try await Self.backup(root, to: copy) }
                }
                try await writer.value
            }
            for copy in copies {
                try await ClusterFixture.serve(at: copy) { cluster in
                    let keys = try await cluster.keys("inbox")
                    #expect(keys.count >= 30)
                    let jobs = try await cluster.ended(keys.count)
                    #expect(jobs.compactMap { $0.input?.key.text }.sorted() == keys.sorted())
                    #expect(jobs.allSatisfy { $0.state == .succeeded })
                    #expect(try await Set(cluster.keys("outbox")) == Set(keys.map { "done/\($0.dropFirst(3)).up" }))
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

    @Test("one that was never finished is refused; one whose update was broken off is as it was before")
    func unfinished() async throws {
        try await TemporaryFolder.with { folder in
            let (root, destination) = (folder.appending("data"), folder.appending("backup"))
            try await ClusterFixture.open(at: root) { cluster in
                try await cluster.create("s", script: "true", input: ["inbox/in"])
                for number in 0..<3 {
                    try await cluster.put(String(repeating: "x", count: 20_000), "\(number)", in: "inbox")
                }
                // Killed at the very begin, and while the marker was written.
                try #require(mkdir(destination.string, 0o700) == 0)
                for name in ["lock", "BACKUP.0.new"] { try destination.appending(name).write("x".utf8) }
                let breakOff: @Sendable (StoreBackup.Summary) -> Void = { _ in withUnsafeCurrentTask { $0?.cancel() } }
                let first = Task { try await Self.backup(root, to: destination, whenAdvanced: breakOff) }
                await #expect(throws: (any Error).self) { try await first.value }
                #expect(try BackupMarker.read(destination)?.state == .unfinished)
                #expect(try !destination.names().contains("BACKUP.0.new"))
                let before = try destination.names()
                let text = await refusal { try DataDirectory.open(at: destination).close() }
                #expect(text.contains("was not finished") && text.contains("apus store backup"))
                #expect(try destination.names() == before)
                try await Self.backup(root, to: destination)
                #expect(try BackupMarker.read(destination)?.state == .finished)
                try await cluster.put(String(repeating: "y", count: 30_000), "new", in: "inbox")
                let second = Task { try await Self.backup(root, to: destination, whenAdvanced: breakOff) }
                await #expect(throws: (any Error).self) { try await second.value }
                #expect(try BackupMarker.read(destination)?.state == .updating)
            }
            try await ClusterFixture.open(at: destination) { cluster in
                let keys = try await cluster.keys("inbox")
                #expect(keys == ["0", "1", "2"])
            }
            let left = try destination.names().filter { $0.hasSuffix(".new") || $0 == "BACKUP" }
            #expect(left.isEmpty)
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

    @Test("an object store without a data directory is backed up alone")
    func storeAlone() async throws {
        try await TemporaryFolder.with { folder in
            let (root, destination) = (folder.appending("data"), folder.appending("backup"))
            try await ClusterFixture.open(at: root) { cluster in
                try await cluster.create("s", script: "true", input: ["inbox/in"])
                try await cluster.put("x", "key", in: "inbox")
                let access = try await StoreAccess.open(at: cluster.data.objects, isExclusive: false)
                let backup = DataBackup(of: nil, store: access, to: destination, copiesBytes: false)
                #expect(try await !backup.run().hasState)
                await access.close()
            }
            #expect(try destination.names() == ["BACKUP", "lock", "objects"])
            try await ClusterFixture.open(at: destination) { cluster in
                let text = try await cluster.text("key", in: "inbox")
                #expect(text == "x")
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
