import DurableSQLite
import Glibc
import Model
import TestKit
import Testing

@testable import ObjectEngine

/// A file system of 24 MiB of its own, which goes when the object goes.
private final class SmallDisk: Sendable {
    let directory: TemporaryDirectory

    init?() throws {
        directory = try TemporaryDirectory()
        guard mount("tmpfs", directory.path, "tmpfs", 0, "size=24m") == 0 else { return nil }
    }

    deinit { umount2(directory.path, Int32(MNT_DETACH)) }

    /// Whether this process may mount at all.
    static let isAllowed: Bool = {
        do { return try SmallDisk() != nil } catch { return false }
    }()
}

/// A disk that really is full.
@Suite(.enabled(if: SmallDisk.isAllowed, "needs the right to mount a file system"))
struct FullDiskTests {
    @Test(.timeLimit(.minutes(2))) func readsAndDeletionsGoOnAndWritesComeBack() async throws {
        let disk = try #require(try SmallDisk())
        let store = try await ObjectStore.open(in: disk.directory, durability: .always)
        _ = try await store.createBucket(videos, owner: "o")
        var keys: [String] = []
        for size in [1_000_000, 100_000, 17_000, 10_000, 1] {
            let error = await #expect(throws: ObjectStoreError.self) {
                while true {
                    let key = "\(size)-\(keys.count)"
                    try await store.put(pattern(size, 1), as: key)
                    keys.append(key)
                }
            }
            #expect(error?.code == .storageFull, "\(size)")
        }
        #expect(keys.count > 10)
        for key in keys {
            let size = Int(key.prefix { $0 != "-" }) ?? 0
            #expect(try await store.bytes(of: key)?.count == size)
        }
        #expect(try await store.statistics().objects == keys.count)
        // Nothing of what failed stays.
        #expect(try await disk.directory.leftovers(of: store) == [])
        // Deletions make their own room, and what they free is for writes again.
        #expect(try await store.delete([objectKey(keys[0]), objectKey(keys[1])], in: videos) == [true, true])
        await store.reclaimSpace()
        try await store.put(pattern(500_000), as: "again")
        #expect(try await store.bytes(of: "again") == pattern(500_000))
        for key in keys.dropFirst(2) { _ = try await store.delete([objectKey(key)], in: videos) }
        await store.reclaimSpace()
        #expect(try disk.directory.contentFiles().count == 1)
        // The reserve is there for the next time.
        #expect(try TemporaryDirectory.names(in: disk.directory.path).contains("reserve"))
        await store.close()
    }

    @Test(.timeLimit(.minutes(2))) func aFullDiskIsOpenedAndEmptied() async throws {
        let disk = try #require(try SmallDisk())
        let store = try await ObjectStore.open(in: disk.directory, durability: .always)
        _ = try await store.createBucket(videos, owner: "o")
        try await store.put(pattern(3_000_000), as: "large")
        await store.close()
        // Somebody else fills it to the last byte.
        let other = try OpenFile(disk.directory.path + "/other", O_WRONLY | O_CREAT, permissions: 0o600, probe: nil)
        while (try? pattern(4096).withUnsafeBytes { try other.write($0) }) != nil {}
        let again = try await ObjectStore.open(in: disk.directory, durability: .always)
        #expect(try await again.bytes(of: "large")?.count == 3_000_000)
        #expect(try await again.delete([objectKey("large")], in: videos) == [true])
        await again.reclaimSpace()
        try await again.put(pattern(1_000_000), as: "new")
        await again.close()
    }
}
