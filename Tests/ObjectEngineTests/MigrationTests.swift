import DurableSQLite
import GRDB
import Model
import S3Wire
import Testing

@testable import ObjectEngine

/// Directories that earlier versions of the program made.
@Suite struct MigrationTests {
    private static let content = "0123456789abcdef0123456789abcdef"

    @Test(arguments: 1..<Schema.steps.count) func keepsWhatEarlierStepsHold(steps: Int) async throws {
        let directory = try TemporaryDirectory()
        let old = try await DurableDatabase.open(
            at: directory.path + "/index.sqlite", steps: Array(Schema.steps.prefix(steps)), durability: .never)
        try await old.write { database in
            try database.execute(
                sql: """
                    INSERT INTO buckets (name, owner, created, tags, objects, bytes) VALUES ('videos', 'o', 1, '{}', 1, 3);
                    INSERT INTO objects (bucket, key, size, etag, modified, content, parts, content_type, attributes)
                        VALUES (1, 'old', 3, 'e-1', 5, 'c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0', 1, 'a/b',
                            '{"metadata":{"k":"v"},"storageClass":"COLD"}');
                    INSERT INTO pieces (content, number, file, start, size)
                        VALUES ('c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0', 1, '\(Self.content)', 0, 3);
                    """
            )
        }
        await old.close()
        let first = try await ObjectStore.open(in: directory)
        await first.close()
        try write([7, 8, 9], to: "\(directory.path)/content/ef/\(Self.content)")
        let store = try await ObjectStore.open(in: directory)
        let record = try #require(try await store.object(objectKey("old"), in: videos))
        #expect(record.version == nil && record.lastModified == Instant(nanoseconds: 5))
        #expect(record.attributes.userMetadata == ["k": "v"] && record.attributes.storageClass == .standard)
        #expect(try await store.bytes(of: record) == [7, 8, 9])
        #expect(try await store.parts(of: record).map(\.checksums) == [[:]])
        let bucket = try #require(try await store.bucket(videos))
        #expect(bucket.versioning == .off && bucket.objectCount == 1 && bucket.versionCount == 0)
        #expect(bucket.size == ByteCount(3))
        // It becomes the version `null`.
        try await store.setVersioning(enabled: true, of: videos)
        try await store.put([1], as: "old")
        #expect(try await store.listVersions(in: videos).versions.last?.id == .null)
        #expect(try await store.bytes(of: record) == [7, 8, 9])
        await store.close()
    }
}
