import Model
import ObjectEngine
import TestKit
import Testing

/// Listing, against a listing that looks at every key.
@Suite struct ListingTests {
    let directory: TemporaryDirectory
    let store: ObjectStore

    init() async throws {
        directory = try TemporaryDirectory()
        store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
    }

    struct Entry: Hashable {
        let text: [UInt8]
        let isPrefix: Bool
    }

    static func naive(_ keys: [String], _ prefix: String, _ delimiter: String?, _ after: String?) -> [Entry] {
        var entries: [Entry] = []
        for key in keys.map({ Array($0.utf8) }).sorted(by: { $0.lexicographicallyPrecedes($1) })
        where key.starts(with: prefix.utf8) {
            if let after, !after.utf8.lexicographicallyPrecedes(key) { continue }
            var entry = Entry(text: key, isPrefix: false)
            if let delimiter = delimiter.map({ Array($0.utf8) }) {
                let start = prefix.utf8.count
                let found = (start..<max(start, key.count)).first { key[$0...].starts(with: delimiter) }
                if let found {
                    entry = Entry(text: Array(key[..<(found + delimiter.count)]), isPrefix: true)
                    if let after, Array(after.utf8) == entry.text { continue }
                }
            }
            if entries.last != entry { entries.append(entry) }
        }
        return entries
    }

    func pages(
        _ prefix: String,
        _ delimiter: String?,
        _ after: String?,
        limit: Int
    ) async throws -> [Entry] {
        var all: [Entry] = []
        var place = after
        while true {
            let page = try await store.list(
                bucket: videos,
                prefix: prefix,
                delimiter: delimiter,
                after: place,
                limit: limit
            )
            let objects = page.objects.map { Entry(text: Array($0.key.text.utf8), isPrefix: false) }
            let prefixes = page.commonPrefixes.map { Entry(text: Array($0.utf8), isPrefix: true) }
            #expect(objects.count + prefixes.count <= limit)
            all += (objects + prefixes).sorted { $0.text.lexicographicallyPrecedes($1.text) }
            #expect(page.isTruncated == (page.next != nil))
            guard page.isTruncated else { return all }
            #expect(objects.count + prefixes.count == limit)
            place = page.next
        }
    }

    @Test(arguments: [1, 2, 3, 4, 5, 6] as [UInt64])
    func agreesWithANaiveOne(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        let alphabet = ["a", "b", "/", "/", "-", "é", "\u{D7FF}", "\u{E000}", "\u{10FFFF}", "😀", "ab"]
        func word(_ random: inout SeededGenerator, _ lengths: ClosedRange<Int>) -> String {
            (0..<Int.random(in: lengths, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? ""
            }.joined()
        }
        var keys = Set<[UInt8]>()
        for _ in 0..<150 { keys.insert(Array(word(&random, 1...7).utf8)) }
        let texts = keys.map { String(decoding: $0, as: UTF8.self) }
        for text in texts { try await store.put([1], as: text) }
        for _ in 0..<120 {
            let prefix = word(&random, 0...2)
            let delimiter = [nil, "/", "-", "ab", "a/", "\u{10FFFF}"].randomElement(using: &random) ?? nil
            let after = Bool.random(using: &random) ? nil : word(&random, 0...4)
            let limit = [1, 2, 3, 7, 1000].randomElement(using: &random) ?? 1
            let listed = try await pages(prefix, delimiter, after, limit: limit)
            let expected = Self.naive(texts, prefix, delimiter, after)
            #expect(
                listed == expected,
                "seed \(seed), prefix \(prefix), delimiter \(delimiter ?? "none"), after \(after ?? "none"), limit \(limit)"
            )
        }
        await store.close()
    }

    @Test func anEmptyPageAndAnEmptyBucket() async throws {
        let empty = try await store.list(bucket: videos)
        #expect(
            empty.objects.isEmpty && empty.commonPrefixes.isEmpty && !empty.isTruncated && empty.next == nil
        )
        try await store.put([1], as: "a")
        let none = try await store.list(bucket: videos, limit: 0)
        #expect(none.objects.isEmpty && !none.isTruncated)
        await store.close()
    }

    @Test func foldersAreOrdinaryObjects() async throws {
        for key in ["folder/", "folder/a", "folder/sub/", "folder/sub/b", "z"] {
            try await store.put([1], as: key)
        }
        let top = try await store.list(bucket: videos, delimiter: "/")
        #expect(top.objects.map(\.key.text) == ["z"] && top.commonPrefixes == ["folder/"])
        let inside = try await store.list(bucket: videos, prefix: "folder/", delimiter: "/")
        #expect(
            inside.objects.map(\.key.text) == ["folder/", "folder/a"]
                && inside.commonPrefixes == ["folder/sub/"]
        )
        await store.close()
    }

    @Test func bucketsDoNotMix() async throws {
        let other = bucketName("other")
        _ = try await store.createBucket(other, owner: "o")
        try await store.put([1], as: "here")
        try await store.put([1], as: "there", in: other)
        #expect(try await store.list(bucket: videos).objects.map(\.key.text) == ["here"])
        #expect(try await store.list(bucket: other).objects.map(\.key.text) == ["there"])
        await store.close()
    }

    @Test func uploadsPageByKeyAndIdentifier() async throws {
        var expected: [(String, String)] = []
        for key in ["a", "a", "b/1", "b/2", "a", "c"] {
            let upload = try await store.createUpload(
                of: objectKey(key),
                in: videos,
                attributes: ObjectAttributes(),
                origin: origin
            )
            expected.append((key, upload.id))
        }
        expected.sort { $0 < $1 }
        for limit in 1...7 {
            var found: [(String, String)] = []
            var (key, id): (String?, String?) = (nil, nil)
            repeat {
                let page = try await store.uploads(in: videos, afterKey: key, afterID: id, limit: limit)
                found += page.uploads.map { ($0.key.text, $0.id) }
                (key, id) = (page.nextKey, page.nextID)
            } while key != nil
            #expect(found.map(\.0) == expected.map(\.0) && found.map(\.1) == expected.map(\.1))
        }
        let grouped = try await store.uploads(in: videos, delimiter: "/")
        #expect(grouped.uploads.map(\.key.text) == ["a", "a", "a", "c"] && grouped.commonPrefixes == ["b/"])
        let prefixed = try await store.uploads(in: videos, prefix: "b/", limit: 1)
        #expect(prefixed.uploads.map(\.key.text) == ["b/1"] && prefixed.isTruncated)
        await store.close()
    }
}
