import Model
import S3Wire
import Testing

@Suite struct LifecycleTests {
    static func parse(_ rules: String) throws -> LifecycleConfiguration {
        let text = "<LifecycleConfiguration>\(rules)</LifecycleConfiguration>"
        return try LifecycleConfiguration(parsing: Array(text.utf8), newID: { "made" })
    }

    static func rule(_ inner: String, filter: String = "<Filter></Filter>", status: String = "Enabled") -> String {
        "<Rule><ID>r</ID>\(filter)<Status>\(status)</Status>\(inner)</Rule>"
    }

    static func code(_ rules: String) -> S3ErrorCode? {
        do {
            _ = try parse(rules)
            return nil
        } catch { return (error as? S3Error)?.code }
    }

    static func at(_ text: String) -> Instant { Instant(rfc3339: text) ?? Instant(seconds: 0) }

    @Test(arguments: [
        rule("<Expiration><Days>30</Days></Expiration>", filter: "<Filter><Prefix>logs/</Prefix></Filter>"),
        rule("<Expiration><Days>1</Days></Expiration>", filter: "<Filter><Prefix></Prefix></Filter>"),
        rule("<Expiration><Days>1</Days></Expiration>", filter: "<Prefix>old/</Prefix>", status: "Disabled"),
        rule("<Expiration><Date>2030-01-01T00:00:00.000Z</Date></Expiration>"),
        rule("<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"),
        rule(
            "<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays>"
                + "<NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>",
            filter: "<Filter><Tag><Key>a</Key><Value>b c</Value></Tag></Filter>"
        ),
        rule(
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>3</DaysAfterInitiation>"
                + "</AbortIncompleteMultipartUpload>"
        ),
        rule(
            "<Expiration><Days>2</Days></Expiration>",
            filter: "<Filter><And><Prefix>p</Prefix><Tag><Key>k</Key><Value></Value></Tag>"
                + "<ObjectSizeGreaterThan>10</ObjectSizeGreaterThan><ObjectSizeLessThan>20</ObjectSizeLessThan>"
                + "</And></Filter>"
        ),
    ])
    func comesBackAsItWasGiven(rule: String) throws {
        let configuration = try Self.parse(rule)
        let written = String(decoding: configuration.xml, as: UTF8.self)
        #expect(written.contains(rule), "\(written)")
        #expect(try LifecycleConfiguration(parsing: configuration.xml, newID: { "" }) == configuration)
    }

    static let refused: [(String, S3ErrorCode)] = [
        ("", .malformedXML), ("<Other/>", .malformedXML),
        (rule(""), .invalidRequest),
        (rule("<Expiration><Days>0</Days></Expiration>"), .invalidArgument),
        (rule("<Expiration><Days>-1</Days></Expiration>"), .invalidArgument),
        (rule("<Expiration><Days>2147483648</Days></Expiration>"), .invalidArgument),
        (rule("<Expiration><Days>x</Days></Expiration>"), .malformedXML),
        (rule("<Expiration><Days>99999999999999999999</Days></Expiration>"), .malformedXML),
        (rule("<Expiration/>"), .malformedXML),
        (rule("<Expiration><Days>1</Days><Days>2</Days></Expiration>"), .malformedXML),
        (rule("<Expiration><Days>1</Days><Date>2030-01-01T00:00:00Z</Date></Expiration>"), .malformedXML),
        (rule("<Expiration><Date>2030-01-01T12:00:00Z</Date></Expiration>"), .invalidArgument),
        (rule("<Expiration><Date>2030-01-01T00:00:00.5Z</Date></Expiration>"), .invalidArgument),
        (rule("<Expiration><Date>soon</Date></Expiration>"), .malformedXML),
        (rule("<Expiration><ExpiredObjectDeleteMarker>maybe</ExpiredObjectDeleteMarker></Expiration>"), .malformedXML),
        (rule("<Expiration><Days>1</Days></Expiration>", status: "On"), .malformedXML),
        ("<Rule><Filter/><Expiration><Days>1</Days></Expiration></Rule>", .malformedXML),
        ("<Rule><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>", .malformedXML),
        (rule("<Expiration><Days>1</Days></Expiration>", filter: "<Prefix/><Filter/>"), .malformedXML),
        (
            rule(
                "<Expiration><Days>1</Days></Expiration>",
                filter: "<Filter><Prefix>a</Prefix><ObjectSizeLessThan>1</ObjectSizeLessThan></Filter>"
            ), .malformedXML
        ),
        (
            rule("<Expiration><Days>1</Days></Expiration>", filter: "<Filter><And><Prefix/></And></Filter>"),
            .malformedXML
        ),
        (rule("<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"), .notImplemented),
        (
            rule("<Expiration><Days>1</Days></Expiration><NoncurrentVersionTransition/>"), .notImplemented
        ),
        (rule("<Expiration><Days>1</Days></Expiration><Surprise/>"), .malformedXML),
        (rule("<NoncurrentVersionExpiration/>"), .malformedXML),
        (
            rule(
                "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays><NewerNoncurrentVersions>101"
                    + "</NewerNoncurrentVersions></NoncurrentVersionExpiration>"
            ), .invalidArgument
        ),
        (
            rule(
                "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
                    + "</AbortIncompleteMultipartUpload>",
                filter: "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"
            ), .invalidRequest
        ),
        (
            rule(
                "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
                filter: "<Filter><Tag><Key>k</Key><Value>v</Value></Tag></Filter>"
            ), .invalidRequest
        ),
        (
            rule(
                "<Expiration><Days>1</Days></Expiration>",
                filter: "<Filter><And><ObjectSizeGreaterThan>5</ObjectSizeGreaterThan>"
                    + "<ObjectSizeLessThan>5</ObjectSizeLessThan></And></Filter>"
            ), .invalidRequest
        ),
        (
            rule(
                "<Expiration><Days>1</Days></Expiration>",
                filter: "<Filter><And><Tag><Key>k</Key><Value>1</Value></Tag><Tag><Key>k</Key><Value>2</Value></Tag>"
                    + "</And></Filter>"
            ), .invalidRequest
        ),
        (
            rule(
                "<Expiration><Days>1</Days></Expiration>",
                filter: "<Filter><Prefix>\(String(repeating: "p", count: 1025))</Prefix></Filter>"
            ), .invalidRequest
        ),
        (
            rule("<Expiration><Days>1</Days></Expiration>") + rule("<Expiration><Days>2</Days></Expiration>"),
            .invalidArgument
        ),
        (
            "<Rule><ID>\(String(repeating: "i", count: 256))</ID><Filter/><Status>Enabled</Status>"
                + "<Expiration><Days>1</Days></Expiration></Rule>", .invalidArgument
        ),
    ]

    @Test(arguments: refused) func refusesWhatS3Refuses(rules: String, code: S3ErrorCode) {
        #expect(Self.code(rules) == code, "\(rules)")
    }

    @Test func takesAThousandRulesAndNoMore() throws {
        func rules(_ count: Int) -> String {
            (0..<count).map {
                "<Rule><ID>\($0)</ID><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>"
            }.joined()
        }
        #expect(try Self.parse(rules(1000)).rules.count == 1000)
        #expect(Self.code(rules(1001)) == .malformedXML)
    }

    @Test func namesARuleThatHasNoName() throws {
        let rules = "<Rule><Filter/><Status>Enabled</Status><Expiration><Days>1</Days></Expiration></Rule>"
        #expect(try Self.parse(rules).rules.map(\.id) == ["made"])
    }

    // MARK: When

    static let midnights: [(String, Int64, String)] = [
        ("2014-01-15T10:30:00Z", 3, "2014-01-19T00:00:00Z"), ("2014-01-15T00:00:00Z", 3, "2014-01-19T00:00:00Z"),
        ("2014-01-15T23:59:59.999Z", 1, "2014-01-17T00:00:00Z"), ("2024-02-28T12:00:00Z", 1, "2024-03-01T00:00:00Z"),
        ("1969-12-30T12:00:00Z", 1, "1970-01-01T00:00:00Z"), ("2025-12-31T01:00:00Z", 365, "2027-01-01T00:00:00Z"),
    ]

    @Test(arguments: midnights) func roundsUpToTheNextMidnight(written: String, days: Int64, expected: String) {
        let configuration = LifecycleConfiguration(rules: [LifecycleRule(id: "r", expiration: .days(days))])
        let subject = LifecycleConfiguration.Subject(key: "k", size: 1)
        #expect(configuration.expiry(of: subject, written: Self.at(written))?.time == Self.at(expected))
    }

    static let matches: [(LifecycleRule.Filter, String, Int64, [String: String], Bool)] = {
        func filter(
            _ prefix: String? = nil,
            tags: [String: String] = [:],
            above: Int64? = nil,
            below: Int64? = nil
        ) -> LifecycleRule.Filter {
            var filter = LifecycleRule.Filter(prefix: prefix)
            filter.tags = tags.map { TagSet.Tag(key: $0.key, value: $0.value) }
            (filter.sizeAbove, filter.sizeBelow) = (above, below)
            return filter
        }
        return [
            (filter(), "k", 0, [:], true), (filter("a/"), "a/b", 0, [:], true), (filter("a/"), "a", 0, [:], false),
            (filter("e"), "e\u{301}", 0, [:], true), (filter("é"), "e\u{301}", 0, [:], false),
            (filter(above: 10), "k", 10, [:], false), (filter(above: 10), "k", 11, [:], true),
            (filter(below: 10), "k", 10, [:], false), (filter(below: 10), "k", 9, [:], true),
            (filter(tags: ["a": "1"]), "k", 0, [:], false), (filter(tags: ["a": "1"]), "k", 0, ["a": "2"], false),
            (filter(tags: ["a": "1"]), "k", 0, ["b": "2", "a": "1"], true),
            (filter(tags: ["a": "1", "b": "2"]), "k", 0, ["a": "1"], false),
            (filter("k", tags: ["a": "1"], above: 1, below: 3), "k", 2, ["a": "1"], true),
        ]
    }()

    @Test(arguments: matches)
    func asksForAllOfItsFilter(
        filter: LifecycleRule.Filter,
        key: String,
        size: Int64,
        tags: [String: String],
        matches: Bool
    ) {
        let rule = LifecycleRule(id: "r", filter: filter, expiration: .days(1))
        let set = TagSet(kept: tags.map { TagSet.Tag(key: $0.key, value: $0.value) })
        let subject = LifecycleConfiguration.Subject(key: key, size: size, tags: set)
        let written = Instant(seconds: 0)
        #expect((LifecycleConfiguration(rules: [rule]).expiry(of: subject, written: written) != nil) == matches)
        var disabled = rule
        disabled.isEnabled = false
        #expect(LifecycleConfiguration(rules: [disabled]).expiry(of: subject, written: written) == nil)
    }

    @Test func theEarliestRuleCounts() throws {
        let configuration = LifecycleConfiguration(rules: [
            LifecycleRule(id: "later", expiration: .days(10)),
            LifecycleRule(id: "sooner", filter: .init(prefix: "a"), expiration: .days(2)),
            LifecycleRule(id: "date", filter: .init(prefix: "d"), expiration: .date(Self.at("2020-01-01T00:00:00Z"))),
            LifecycleRule(id: "markers", expiration: .loneMarkers(true)),
        ])
        let written = Self.at("2024-01-01T05:00:00Z")
        func rule(_ key: String) -> String? {
            configuration.expiry(of: .init(key: key, size: 0), written: written)?.rule
        }
        #expect([rule("a"), rule("b"), rule("d")] == ["sooner", "later", "date"])
    }

    @Test func keepsNewerVersions() {
        let configuration = LifecycleConfiguration(rules: [
            LifecycleRule(id: "r", noncurrent: .init(days: 2, newerVersions: 3))
        ])
        let since = Self.at("2024-01-01T05:00:00Z")
        func expires(_ newer: Int, _ now: String) -> Bool {
            configuration.expires(
                noncurrent: .init(key: "k", size: 1), since: since, newerNoncurrent: newer, now: Self.at(now))
        }
        #expect(!expires(2, "2030-01-01T00:00:00Z"))
        #expect(!expires(3, "2024-01-03T23:59:59Z"))
        #expect(expires(3, "2024-01-04T00:00:00Z"))
    }

    @Test func removesMarkersThatStandAlone() {
        let written = Self.at("2024-01-01T05:00:00Z")
        func expires(_ rule: LifecycleRule, _ now: String = "2030-01-01T00:00:00Z") -> Bool {
            LifecycleConfiguration(rules: [rule]).expires(loneMarkerOf: "k", written: written, now: Self.at(now))
        }
        #expect(expires(LifecycleRule(id: "r", expiration: .loneMarkers(true)), "2024-01-01T05:00:00Z"))
        #expect(!expires(LifecycleRule(id: "r", expiration: .loneMarkers(false))))
        #expect(expires(LifecycleRule(id: "r", expiration: .days(1))))
        #expect(!expires(LifecycleRule(id: "r", expiration: .days(1)), "2024-01-02T23:00:00Z"))
        #expect(!expires(LifecycleRule(id: "r", filter: .init(prefix: "x"), expiration: .loneMarkers(true))))
        #expect(!expires(LifecycleRule(id: "r", noncurrent: .init(days: 1))))
        var sized = LifecycleRule.Filter()
        sized.sizeBelow = 5
        #expect(!expires(LifecycleRule(id: "r", filter: sized, expiration: .days(1))))
    }

    @Test func givesUploadsUp() {
        let configuration = LifecycleConfiguration(rules: [
            LifecycleRule(id: "r", filter: .init(prefix: "u/"), abortsUploadsAfter: 1)
        ])
        let initiated = Self.at("2024-01-01T05:00:00Z")
        func aborts(_ key: String, _ now: String) -> Bool {
            configuration.aborts(uploadOf: key, initiated: initiated, now: Self.at(now))
        }
        #expect(!aborts("u/1", "2024-01-02T23:59:59Z") && aborts("u/1", "2024-01-03T00:00:00Z"))
        #expect(!aborts("v/1", "2030-01-01T00:00:00Z"))
    }

    @Test func tellsWhatNeedsToBeLookedAt() {
        func prefix(_ prefixes: String?...) -> String? {
            let rules = prefixes.map { LifecycleRule(id: "r", filter: .init(prefix: $0), expiration: .days(1)) }
            return LifecycleConfiguration(rules: rules).prefix { $0.expiration != nil }
        }
        #expect(prefix() == nil)
        #expect(prefix("a/b", "a/c") == "a/")
        #expect(prefix("a/b", nil) == "")
        #expect(prefix("é", "e\u{301}") == "")
    }

    @Test func survivesHostileDocuments() {
        let seed = UInt64.random(in: 0 ... .max)
        var generator = SeededDocuments(seed: seed)
        let names = [
            "LifecycleConfiguration", "Rule", "ID", "Filter", "And", "Prefix", "Tag", "Key", "Value", "Status",
            "Expiration", "Days", "Date", "NoncurrentVersionExpiration", "NoncurrentDays", "Transition",
            "AbortIncompleteMultipartUpload", "DaysAfterInitiation", "ObjectSizeGreaterThan",
        ]
        for _ in 0..<3000 {
            let bytes = generator.document(root: "LifecycleConfiguration", names: names)
            guard let parsed = try? LifecycleConfiguration(parsing: bytes, newID: { "made" }) else { continue }
            #expect((try? LifecycleConfiguration(parsing: parsed.xml, newID: { "" })) == parsed, "seed \(seed)")
        }
    }
}
