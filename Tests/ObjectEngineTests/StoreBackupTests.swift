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
        let summary: StoreBackup.Summary
        do {
            summary = try await StoreBackup(access, to: FilePath(destination.path), copiesBytes: copies).run()
        } catch {
            await access.close()
            throw error
        }
        await access.close()
        return summary
    }

    func verifyBackup() async throws -> VerificationReport {
        let access = try await StoreAccess.open(at: FilePath(destination.path), isExclusive: false)
        let report = try await StoreVerifier(access, now: { clock.now() }, whenFound: { Issue.record("\($0)") }).run()
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

    @Test func writesToNothingElse() async throws {
        try write([1], to: destination.path + "/precious")
        let error = await #expect(throws: ObjectStoreError.self) { try await backup() }
        #expect(error?.code == .notABackup)
        #expect(try TemporaryDirectory.names(in: destination.path) == ["precious"])
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
