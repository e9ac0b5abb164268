import DurableSQLite
import GRDB
import Glibc
import Logging
import Model
import SystemPackage
import TestKit
import Testing

@testable import ObjectEngine

@Suite struct StoreBackupTests {
    let directory: TemporaryDirectory
    let destination: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory(inMemory: true)
        destination = try TemporaryDirectory(inMemory: true)
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
    }

    func backup(copies: Bool = false) async throws -> StoreBackup.Summary {
        let access = try await StoreAccess.open(at: FilePath(directory.path), isExclusive: false)
        let backup = StoreBackup(access, to: FilePath(destination.path), copiesBytes: copies)
        do {
            try await backup.hold()
            try await backup.copy()
            try await backup.publish()
            try await backup.prune()
        } catch {
            await backup.close()
            await access.close()
            throw error
        }
        await backup.close()
        await access.close()
        return backup.summary
    }

    func verifyBackup(expectsUnknownFiles: Bool = false) async throws -> VerificationReport {
        let access = try await StoreAccess.open(at: FilePath(destination.path), isExclusive: false)
        let verifier = StoreVerifier(
            access,
            expectsUnknownFiles: expectsUnknownFiles,
            now: { clock.now() },
            whenFound: { Issue.record("\($0)") }
        )
        let report = try await verifier.run()
        await access.close()
        return report
    }

    @Test(arguments: [false, true]) func isAStoreOfItsOwn(copies: Bool) async throws {
        for number in 0..<4 { try await store.put(pattern(30_000 + number), as: "large-\(number)") }
        try await store.put([1, 2], as: "small")
        #expect(try await backup(copies: copies) == .init(added: 4, addedBytes: 120_006))
        #expect(try await verifyBackup().files == 4)
        // What happens afterwards does not reach it.
        _ = try await store.delete((0..<4).map { objectKey("large-\($0)") } + [objectKey("small")], in: videos)
        await store.reclaimSpace()
        #expect(try directory.contentFiles() == [])
        let restored = try await ObjectStore.open(in: destination)
        #expect(try await restored.bytes(of: "large-3") == pattern(30_003))
        #expect(try await restored.bytes(of: "small") == [1, 2])
        #expect(try await restored.events(after: 0, limit: 10).count == 5)
        try await restored.put(pattern(40_000), as: "new")
        await restored.close()
        await store.close()
    }

    @Test func copiesOnlyWhatIsNewAndDropsWhatWent() async throws {
        for number in 0..<4 { try await store.put(pattern(30_000 + number), as: "large-\(number)") }
        _ = try await backup()
        _ = try await store.delete([objectKey("large-0")], in: videos)
        try await store.put(pattern(50_000), as: "new")
        await store.reclaimSpace()
        #expect(try await backup() == .init(added: 1, addedBytes: 50_000, kept: 3, removed: 1))
        #expect(try await verifyBackup().files == 4)
        // A file that a broken copy left too short is made anew.
        let name = try destination.contentFiles()[0]
        try #require(unlink("\(destination.path)/content/\(name.suffix(2))/\(name)") == 0)
        try write([1], to: "\(destination.path)/content/\(name.suffix(2))/\(name)")
        #expect(try await backup().added == 1)
        #expect(try await verifyBackup().open == 0)
        await store.close()
    }

    @Test func keepsPartsToo() async throws {
        let upload = try await store.createUpload(
            of: objectKey("big"), in: videos, attributes: ObjectAttributes(), origin: origin)
        let part = try await store.putPart(pattern(70_000), number: 1, of: upload)
        #expect(try await backup().added == 1)
        _ = try await store.complete(upload, [part])
        #expect(try await backup() == .init(kept: 1))
        #expect(try await verifyBackup().files == 1)
        await store.close()
    }

    @Test func copiesWhatWasOnlyNamedTwice() async throws {
        let record = try await store.put(pattern(30_000), as: "key")
        _ = try await backup()
        #expect(try await backup(copies: true) == .init(added: 1, addedBytes: 30_000))
        let (one, other) = (directory.path(of: record.content), destination.path(of: record.content))
        #expect(try !FileSystemCalls.real.areOneFile(one, other))
        #expect(try await backup(copies: true) == .init(kept: 1))
        #expect(try await backup() == .init(kept: 1))
        #expect(try FileSystemCalls.real.areOneFile(one, one))
        #expect(try !FileSystemCalls.real.areOneFile(one, one + "x"))
        await store.close()
    }

    @Test func eventsStayUntilItsEnd() async throws {
        try await store.put([1], as: "key")
        let access = try await StoreAccess.open(at: FilePath(directory.path), isExclusive: false)
        let backup = StoreBackup(access, to: FilePath(destination.path), copiesBytes: false)
        try await backup.hold()
        #expect(try await store.discardEvents(through: 1) == false)
        #expect(try await store.events(after: 0, limit: 10).count == 1)
        await backup.close()
        await access.close()
        #expect(try await store.discardEvents(through: 1))
        #expect(try await store.events(after: 0, limit: 10).isEmpty)
        await store.close()
    }

    /// Until the new index takes its place, the last backup is whole.
    @Test func whatIsBrokenOffLeavesTheLastOne() async throws {
        try await store.put(pattern(30_000), as: "first")
        _ = try await backup()
        _ = try await store.delete([objectKey("first")], in: videos)
        try await store.put(pattern(40_000), as: "second")
        let access = try await StoreAccess.open(at: FilePath(directory.path), isExclusive: false)
        let broken = StoreBackup(access, to: FilePath(destination.path), copiesBytes: false)
        try await broken.hold()
        try await broken.copy()
        await broken.close()
        await access.close()
        let report = try await verifyBackup(expectsUnknownFiles: true)
        #expect(report.files == 1 && report.findingCount == 0)
        #expect(try await backup() == .init(added: 0, kept: 1, removed: 1))
        #expect(try await verifyBackup().files == 1)
        await store.close()
    }

    @Test func saysWhatIsMissing() async throws {
        let record = try await store.put(pattern(30_000), as: "gone")
        try await store.put(pattern(30_000), as: "there")
        try #require(unlink(directory.path(of: record.content)) == 0)
        #expect(try await backup() == .init(added: 1, addedBytes: 30_000, missing: 1))
        await store.close()
    }

    /// Removal waits for a backup, and goes on by itself behind it.
    @Test func removalWaits() async throws {
        try await store.put(pattern(30_000), as: "key")
        let files = store.files
        var lock: OpenFile? = try await files.run { () throws(ObjectStoreError) in try files.lockAgainstRemoval() }
        _ = try await store.delete([objectKey("key")], in: videos)
        await store.reclaimSpace()
        #expect(try directory.contentFiles().count == 1)
        withExtendedLifetime(lock) {}
        lock = nil
        await store.reclaimSpace()
        #expect(try directory.contentFiles().isEmpty)
        await store.close()
    }

    @Test(.timeLimit(.minutes(5))) func isOfOneMomentWhileTheServerGoesOn() async throws {
        for number in 0..<20 { try await store.put(pattern(20_000), as: "first-\(number)") }
        let store = store
        let writer = Task {
            for number in 0..<60 {
                try await store.put(pattern(20_000 + number), as: "first-\(number % 20)")
            }
        }
        for _ in 0..<3 { _ = try await backup() }
        try await writer.value
        #expect(try await verifyBackup().files == 20)
        await store.close()
    }
}

@Suite struct RemovalTests {
    @Test func manyFilesGoInTurns() async throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        for number in 0..<450 { try await store.put(pattern(16_400), as: "k\(number)") }
        try await store.deleteBucket(videos, includingContent: true)
        await store.reclaimSpace()
        #expect(try directory.contentFiles().isEmpty)
        #expect(try await store.read { try $0.exists("SELECT 1 FROM garbage", []) } == false)
        #expect(try await store.read { try $0.exists("SELECT 1 FROM checks", []) } == false)
        await store.close()
    }
}
