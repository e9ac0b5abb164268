import Model
import ObjectEngine
import TestKit
import Testing

/// Lists of versions with delimiters and pages, against a list that looks at every version.
@Suite struct VersionListingTests {
    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        try await store.setVersioning(enabled: true, of: videos)
    }

    private enum Entry: Hashable {
        case version(VersionID)
        case prefix([UInt8])
    }

    private func pages(_ prefix: String, _ delimiter: String?, limit: Int) async throws -> [Entry] {
        var all: [(name: [UInt8], entry: Entry)] = []
        var place: (key: String?, version: VersionID?) = (nil, nil)
        repeat {
            let page = try await store.listVersions(
                in: videos, prefix: prefix, delimiter: delimiter, afterKey: place.key, afterVersion: place.version,
                limit: limit
            )
            let versions = page.versions.map { (name: Array($0.key.text.utf8), entry: Entry.version($0.id)) }
            let prefixes = page.commonPrefixes.map { (name: Array($0.utf8), entry: Entry.prefix(Array($0.utf8))) }
            #expect(versions.count + prefixes.count == limit || !page.isTruncated)
            // Stable: the versions of a key keep their order.
            all += (versions + prefixes).sorted { $0.name.lexicographicallyPrecedes($1.name) }
            place = (page.nextKey, page.nextVersion)
        } while place.key != nil
        return all.map(\.entry)
    }

    @Test func pagesAgreeWithAFullList() async throws {
        var random = SeededGenerator(seed: 5)
        let keys = ["a", "a/", "a/b", "a/b/c", "a/c", "a0", "b", "b/x", "b/y/z", "é/1"]
        for step in 0..<60 {
            let key = keys.randomElement(using: &random) ?? ""
            if step % 4 == 0 {
                _ = try await store.delete([Deletion(objectKey(key))], in: videos)
            } else {
                try await store.put([UInt8(step)], as: key)
            }
        }
        let all = try await store.listVersions(in: videos).versions
        #expect(all.count == 60)
        for (prefix, delimiter) in [("", nil), ("", "/"), ("a", "/"), ("a/", "/"), ("a/b", nil), ("x", "/"), ("", "b")]
            as [(String, String?)]
        {
            var expected: [Entry] = []
            for version in all where version.key.text.utf8.starts(with: prefix.utf8) {
                var entry = Entry.version(version.id)
                let key = Array(version.key.text.utf8)
                if let byte = delimiter?.utf8.first, let end = key[prefix.utf8.count...].firstIndex(of: byte) {
                    entry = .prefix(Array(key[...end]))
                }
                if expected.last != entry { expected.append(entry) }
            }
            for limit in [1, 2, 3, 10, 1000] {
                #expect(
                    try await pages(prefix, delimiter, limit: limit) == expected,
                    "\(prefix) \(delimiter ?? "") \(limit)")
            }
        }
        #expect(try await store.listVersions(in: videos, limit: 0).isTruncated == false)
        await store.close()
    }

    /// As clients do that empty a bucket: they delete a page and go on behind it.
    @Test(arguments: [1, 2, 3, 5]) func goesOnBehindWhatWasDeleted(limit: Int) async throws {
        for step in 0..<30 {
            if step == 10 { try await store.setVersioning(enabled: false, of: videos) }
            if step == 12 { try await store.setVersioning(enabled: true, of: videos) }
            try await store.put([UInt8(step)], as: "key\(step % 3)")
            if step % 7 == 0 { _ = try await store.delete([Deletion(objectKey("key\(step % 2)"))], in: videos) }
        }
        var place: (key: String?, version: VersionID?) = (nil, nil)
        repeat {
            let page = try await store.listVersions(
                in: videos, afterKey: place.key, afterVersion: place.version, limit: limit)
            _ = try await store.delete(page.versions.map(\.deletion), in: videos)
            place = (page.nextKey, page.nextVersion)
        } while place.key != nil
        #expect(try await store.listVersions(in: videos).versions.isEmpty)
        try await store.deleteBucket(videos)
        await store.close()
    }

    @Test func aBucketWithoutVersionsListsItsObjects() async throws {
        let plain = bucketName("plain")
        _ = try await store.createBucket(plain, owner: "o")
        try await store.put([1], as: "a", in: plain)
        try await store.put([2], as: "a", in: plain)
        let versions = try await store.listVersions(in: plain).versions
        #expect(versions.map(\.id) == [.null] && versions.map(\.isLatest) == [true])
        await store.close()
    }
}
