package import Model

/// Something that is not as it should be in a store.
package struct StoreFinding: Sendable, Hashable {
    package enum Kind: String, Sendable, CaseIterable {
        /// The index is no sound database.
        case damagedIndex = "damaged-index"
        /// A content that an object needs is not there.
        case missingContent = "missing-content"
        /// A content has more or fewer bytes than it should.
        case wrongSize = "wrong-size"
        /// A content has other bytes than were written.
        case wrongBytes = "wrong-bytes"
        /// A content cannot be read from the disk.
        case unreadable
        /// A file in place that nothing in the index knows.
        case unknownFile = "unknown-file"
        /// A row that belongs to nothing.
        case unknownRow = "unknown-row"
        /// A bucket's numbers are not those of its objects.
        case wrongCount = "wrong-count"
    }

    package let kind: Kind
    package var bucket: String?
    package var key: String?
    /// The name of a content or of a file.
    package var content: String?
    package var detail: String
    /// What was done about it; `nil` where nothing was.
    package var repair: String?

    package init(
        kind: Kind,
        bucket: String? = nil,
        key: String? = nil,
        content: String? = nil,
        detail: String,
        repair: String? = nil
    ) {
        (self.kind, self.bucket, self.key, self.content) = (kind, bucket, key, content)
        (self.detail, self.repair) = (detail, repair)
    }

    /// A finding that `json` made; `nil` where the value is none.
    init?(json: JSONValue) {
        guard let kind = (json["kind"]?.stringValue).flatMap(Kind.init(rawValue:)),
            let detail = json["detail"]?.stringValue
        else { return nil }
        self.init(
            kind: kind,
            bucket: json["bucket"]?.stringValue,
            key: json["key"]?.stringValue,
            content: json["content"]?.stringValue,
            detail: detail,
            repair: json["repair"]?.stringValue
        )
    }

    /// Whether objects have lost bytes, which no repair brings back.
    package var isLoss: Bool {
        switch kind {
        case .damagedIndex, .missingContent, .wrongSize, .wrongBytes, .unreadable: true
        case .unknownFile, .unknownRow, .wrongCount: false
        }
    }

    /// The finding as JSON.
    package var json: JSONValue {
        var members: [(String, JSONValue)] = [("kind", .string(kind.rawValue))]
        for (name, value) in [("bucket", bucket), ("key", key), ("content", content)] {
            if let value { members.append((name, .string(value))) }
        }
        members.append(("detail", .string(detail)))
        if let repair { members.append(("repair", .string(repair))) }
        return .object(JSONObject(members))
    }
}

/// What a verification looked at, and what it found.
package struct VerificationReport: Sendable {
    /// Content files.
    package var files = 0
    /// Bytes in them.
    package var bytes: Int64 = 0
    /// Contents in the index.
    package var smallContents = 0
    /// Files without a check whose bytes nothing could be compared with.
    package var unverifiable = 0
    package var findings: [StoreFinding.Kind: Int] = [:]
    package var repaired = 0
    /// How many findings are losses or were not repaired.
    package var open = 0

    /// How many findings there are, of all kinds.
    package var findingCount: Int { findings.values.reduce(0, +) }

    /// Counts a finding.
    mutating func add(_ finding: StoreFinding) {
        findings[finding.kind, default: 0] += 1
        if finding.repair != nil { repaired += 1 }
        if finding.isLoss || finding.repair == nil { open += 1 }
    }

    /// The report as JSON.
    package var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("files", .number("\(files)")), ("bytes", .number("\(bytes)")),
            ("smallContents", .number("\(smallContents)")),
            ("unverifiable", .number("\(unverifiable)")), ("repaired", .number("\(repaired)")),
            ("open", .number("\(open)")),
        ]
        for kind in StoreFinding.Kind.allCases {
            if let count = findings[kind] { members.append((kind.rawValue, .number("\(count)"))) }
        }
        return .object(JSONObject(members))
    }
}
