import Model
import S3Wire
import TestKit
import Testing

/// Documents and headers about tags, versions, classes and attributes.
@Suite struct ObjectDocumentTests {
    private static func tagging(_ tags: [(String, String)]) -> [UInt8] {
        let elements = tags.map { "<Tag><Key>\($0)</Key><Value>\($1)</Value></Tag>" }
        return Array("<Tagging><TagSet>\(elements.joined())</TagSet></Tagging>".utf8)
    }

    @Test func tagsGoRound() throws {
        let tags = try TagSet([
            .init(key: "a +-=._:/@1", value: ""), .init(key: "日本", value: "ñ ½"), .init(key: "é", value: "1"),
        ])
        #expect(try TagSet(parsing: TaggingDocument(tags: tags).xml) == tags)
        #expect(try TagSet(parsing: TaggingDocument(tags: TagSet()).xml).isEmpty)
        #expect(try TagSet(header: "b&c=x%20y+z&a=1").tags.map { "\($0.key):\($0.value)" } == ["a:1", "b:", "c:x y z"])
    }

    static let wrongTags: [([(String, String)], S3ErrorCode)] = [
        ((0..<11).map { ("k\($0)", "") }, .badRequest), ([("", "x")], .invalidTag),
        ([("a", "1"), ("a", "2")], .invalidTag),
        ([(String(repeating: "k", count: 129), "")], .invalidTag),
        ([("k", String(repeating: "v", count: 257))], .invalidTag),
        ([("a!", "")], .invalidTag), ([("a", "{}")], .invalidTag), ([("a\tb", "")], .invalidTag),
        ([("aws:x", "")], .invalidTag), ([("AWS:x", "")], .invalidTag), ([("\u{1F426}", "")], .invalidTag),
    ]

    @Test(arguments: wrongTags) func refusesTags(tags: [(String, String)], code: S3ErrorCode) {
        #expect(throws: S3Error.self) { _ = try TagSet(parsing: Self.tagging(tags)) }
        let error = #expect(throws: S3Error.self) { _ = try TagSet(tags.map { .init(key: $0, value: $1) }) }
        #expect(error?.code == code)
    }

    @Test func takesTheLongestTags() throws {
        let longest = (0..<10).map { number in
            (String(repeating: "é", count: 127) + String(number), String(repeating: "ü", count: 256))
        }
        #expect(try TagSet(parsing: Self.tagging(longest)).tags.count == 10)
        #expect(
            try TagSet(longest.map { .init(key: $0, value: $1) } + [.init(key: "x", value: "")], limit: 50).tags.count
                == 11)
    }

    @Test(arguments: [
        "", "<Tagging/>", "<Other><TagSet/></Other>", "<Tagging><TagSet><Tag><Key>a</Key></Tag></TagSet></Tagging>",
        "<Tagging><TagSet><Tag><Value>a</Value></Tag></TagSet></Tagging>",
        "<Tagging><TagSet><Other/></TagSet></Tagging>",
        "<Tagging><TagSet>\(String(repeating: "<Tag/>", count: 2000))</TagSet></Tagging>",
    ])
    func refusesTaggingDocuments(text: String) {
        let error = #expect(throws: S3Error.self) { _ = try TagSet(parsing: Array(text.utf8)) }
        #expect(error?.code == .malformedXML)
    }

    @Test(arguments: ["a=%zz", "%FF=1", "a=1&b=2&a=1", "a&a"]) func refusesTaggingHeaders(header: String) {
        let error = #expect(throws: S3Error.self) { _ = try TagSet(header: header) }
        #expect(error?.code == .invalidArgument)
    }

    @Test(arguments: [
        ("Enabled", VersioningConfiguration.Status.enabled), ("Suspended", .suspended),
    ])
    func readsVersioning(text: String, status: VersioningConfiguration.Status) throws {
        let document = VersioningConfiguration(status: status)
        #expect(try VersioningConfiguration(parsing: document.xml) == document)
        let other =
            "<VersioningConfiguration><MfaDelete>Disabled</MfaDelete><Status>\(text)</Status></VersioningConfiguration>"
        #expect(try VersioningConfiguration(parsing: Array(other.utf8)) == document)
    }

    @Test(arguments: [
        ("<Status>enabled</Status>", S3ErrorCode.malformedXML), ("<Status/>", .malformedXML),
        ("", .illegalVersioningConfiguration),
        ("<Status>Enabled</Status><MfaDelete>Enabled</MfaDelete>", .notImplemented),
        ("<Status>Enabled</Status><MfaDelete>x</MfaDelete>", .malformedXML),
    ])
    func refusesVersioning(content: String, code: S3ErrorCode) {
        let text = "<VersioningConfiguration>\(content)</VersioningConfiguration>"
        let error = #expect(throws: S3Error.self) { _ = try VersioningConfiguration(parsing: Array(text.utf8)) }
        #expect(error?.code == code)
        #expect(throws: S3Error.self) { _ = try VersioningConfiguration(parsing: Array("<X>\(content)</X>".utf8)) }
    }

    @Test func writesVersions() throws {
        let object = ListedObject(
            key: "a b", lastModified: Instant(seconds: 0), eTag: "e", size: 7, storageClass: .glacier)
        var list = ListVersionsResult(
            bucket: "b", owner: OwnerElement(id: "o", displayName: "n"), maximumKeys: 2, encoding: .url)
        list.entries = [
            .init(.marker(key: "a b", lastModified: Instant(seconds: 1)), id: "m", isLatest: true),
            .init(.version(object), id: "null", isLatest: false),
        ]
        list.commonPrefixes = ["x y/"]
        (list.isTruncated, list.nextKeyMarker, list.nextVersionIDMarker) = (true, "a b", "null")
        let root = try XMLElement.parse(list.xml)
        #expect(root.name == "ListVersionsResult")
        #expect(
            root.children.map(\.name).filter { ["Version", "DeleteMarker"].contains($0) } == [
                "DeleteMarker", "Version",
            ])
        #expect(root["DeleteMarker"]?["VersionId"]?.text == "m")
        #expect(root["DeleteMarker"]?["IsLatest"]?.text == "true")
        #expect(root["Version"]?["Key"]?.text == "a%20b")
        #expect(root["Version"]?["Size"]?.text == "7")
        #expect(root["Version"]?["IsLatest"]?.text == "false")
        #expect(root["Version"]?["StorageClass"]?.text == "GLACIER")
        #expect(root["CommonPrefixes"]?["Prefix"]?.text == "x%20y/")
        #expect(root["NextKeyMarker"]?.text == "a%20b")
        #expect(root["NextVersionIdMarker"]?.text == "null")
    }

    @Test func writesDeletions() throws {
        let result = DeleteResult(
            deleted: [.init(key: "a", version: "v"), .init(key: "b", marker: "m")],
            failed: [(.init(key: "c", version: "w"), S3Error(.preconditionFailed))]
        )
        let root = try XMLElement.parse(result.xml)
        let deleted = root.all("Deleted")
        #expect(deleted.map { $0["VersionId"]?.text } == ["v", nil])
        #expect(deleted.map { $0["DeleteMarkerVersionId"]?.text } == [nil, "m"])
        #expect(deleted.map { $0["DeleteMarker"]?.text } == [nil, "true"])
        #expect(root["Error"]?["VersionId"]?.text == "w")
        #expect(root["Error"]?["Code"]?.text == "PreconditionFailed")
    }

    @Test func readsNamesOfAttributes() throws {
        #expect(try ObjectAttributeName.set(parsing: "ETag, ObjectSize,Checksum") == [.eTag, .objectSize, .checksum])
        for header in [nil, "", ",", "etag", "ETag;ObjectSize"] {
            let error = #expect(throws: S3Error.self) { _ = try ObjectAttributeName.set(parsing: header) }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test func writesAttributes() throws {
        var document = ObjectAttributesDocument()
        #expect(try XMLElement.parse(document.xml) == XMLElement(name: "GetObjectAttributesResponse"))
        (document.eTag, document.size, document.storageClass) = ("e-2", 9, .standard)
        (document.checksums, document.checksumType) = ([.sha1: "s-2"], .composite)
        document.parts = .init(
            count: 2, marker: 0, limit: 1, isTruncated: true,
            parts: [.init(number: 1, size: 5, checksums: [.sha1: "p"])]
        )
        let root = try XMLElement.parse(document.xml)
        #expect(root["ETag"]?.text == "e-2")
        #expect(root["Checksum"]?["ChecksumSHA1"]?.text == "s-2")
        #expect(root["Checksum"]?["ChecksumType"]?.text == "COMPOSITE")
        #expect(root["ObjectParts"]?["PartsCount"]?.text == "2")
        #expect(root["ObjectParts"]?["NextPartNumberMarker"]?.text == "1")
        #expect(root["ObjectParts"]?["Part"]?["ChecksumSHA1"]?.text == "p")
        #expect(root["ObjectSize"]?.text == "9")
    }

    @Test func knowsStorageClasses() throws {
        for known in StorageClass.allCases { #expect(try StorageClass(parsing: known.rawValue) == known) }
        for text in ["", "standard", "STANDARD ", "COLD", String(repeating: "X", count: 100_000)] {
            let error = #expect(throws: S3Error.self) { _ = try StorageClass(parsing: text) }
            #expect(error?.code == .invalidStorageClass)
        }
    }
}

@Suite struct EncodedWordsTests {
    @Test(arguments: [
        ("", ""), ("plain text?=", "plain text?="), ("é", "=?UTF-8?B?w6k=?="), ("a\u{7F}", "=?UTF-8?B?YX8=?="),
    ])
    func encodes(text: String, header: String) {
        #expect(EncodedWords.encode(text) == header)
        #expect(EncodedWords.decode(header) == text)
    }

    @Test(arguments: [
        ("=?UTF-8?Q?caf=C3=A9_x?=", "café x"), ("=?utf-8?b?w6k=?= =?utf-8?b?w6k=?=", "éé"),
        ("a =?UTF-8?B?w6k=?= b", "a é b"), ("=?ISO-8859-1?Q?=E9?=", "é"), ("=?US-ASCII?Q?a?=", "a"),
        ("=?UTF-8?B?w6?=", "=?UTF-8?B?w6?="), ("=?UTF-8?B?/w==?=", "=?UTF-8?B?/w==?="),
        ("=?KOI8-R?B?w6k=?=", "=?KOI8-R?B?w6k=?="), ("=?UTF-8?X?a?=", "=?UTF-8?X?a?="),
        ("=?UTF-8?Q?=4?=", "=?UTF-8?Q?=4?="),
        ("=?=", "=?="), ("=??=", "=??="), ("=?a?b?c?d?=", "=?a?b?c?d?="), ("é", "é"), ("a  =?x", "a  =?x"),
    ])
    func decodes(header: String, text: String) {
        #expect(EncodedWords.decode(header) == text)
    }

    @Test func longTextsBecomeManyWords() {
        let text = String(repeating: "日本語 text ", count: 200)
        let header = EncodedWords.encode(text)
        let words = header.split(separator: " ")
        #expect(words.count > 1 && words.allSatisfy { $0.utf8.count <= 75 })
        #expect(EncodedWords.decode(header) == text)
    }

    @Test(arguments: [1, 2, 3] as [UInt64]) func surviveAnything(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let alphabet = ["=?", "?=", "UTF-8", "?B?", "?Q?", "=", "?", " ", "é", "w6k=", "=E9", "\u{1}"]
        for _ in 0..<2000 {
            let parts = (0..<Int.random(in: 0...8, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? ""
            }
            let text = parts.joined()
            _ = EncodedWords.decode(text)
            let mustBeEncoded = !text.utf8.allSatisfy { (0x20...0x7E).contains($0) }
            if mustBeEncoded {
                #expect(EncodedWords.decode(EncodedWords.encode(text)) == text, "seed \(seed): \(text)")
            }
        }
    }
}
