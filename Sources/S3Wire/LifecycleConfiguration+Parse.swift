import Model

extension LifecycleConfiguration {
    /// Parses what a client gives, and refuses what S3 refuses.
    ///
    /// - Parameter newID: makes a name for a rule that has none.
    /// - Throws: `S3Error` with `malformedXML`, `invalidArgument`, `invalidRequest`; `notImplemented` for rules that
    ///   move objects to another storage class.
    package init(parsing bytes: [UInt8], newID: () -> String) throws(S3Error) {
        let root = try XMLElement.parse(bytes, maximumElements: 64 * Self.maximumRules)
        guard root.name == "LifecycleConfiguration", (1...Self.maximumRules).contains(root.children.count) else {
            throw S3Error(.malformedXML)
        }
        try root.checkChildren([], repeated: ["Rule"])
        var rules: [LifecycleRule] = []
        var ids: Set<String> = []
        for element in root.children {
            let rule = try LifecycleRule(element, newID: newID)
            guard ids.insert(rule.id).inserted else {
                throw S3Error(.invalidArgument, "Rule ID must be unique. Found same ID for more than one rule")
            }
            rules.append(rule)
        }
        self.rules = rules
    }
}

extension LifecycleRule {
    /// The most days that a rule may name: what fits into the integer of S3's schema.
    private static let maximumDays: Int64 = 2_147_483_647
    /// The most versions beyond the latest that a rule may keep (S3 API reference, `NoncurrentVersionExpiration`).
    private static let keptVersions: ClosedRange<Int64> = 1...100

    fileprivate init(_ element: XMLElement, newID: () -> String) throws(S3Error) {
        for name in ["Transition", "NoncurrentVersionTransition"] where element[name] != nil {
            throw S3Error(
                .notImplemented, "\(name) is not implemented: there is one storage class. Use an expiration instead."
            )
        }
        try element.checkChildren(
            [
                "ID", "Prefix", "Filter", "Status", "Expiration", "NoncurrentVersionExpiration",
                "AbortIncompleteMultipartUpload",
            ]
        )
        let id = element["ID"]?.text ?? ""
        guard id.unicodeScalars.count <= 255 else {
            throw S3Error(.invalidArgument, "ID length should not exceed allowed limit of 255")
        }
        guard let status = element["Status"]?.trimmedText, status == "Enabled" || status == "Disabled" else {
            throw S3Error(.malformedXML)
        }
        self.init(
            id: id.isEmpty ? newID() : id,
            isEnabled: status == "Enabled",
            filter: try Filter(of: element),
            expiration: try element["Expiration"].map(Self.expiration),
            noncurrent: try element["NoncurrentVersionExpiration"].map(Self.noncurrent),
            abortsUploadsAfter: try element["AbortIncompleteMultipartUpload"].map(Self.abortion)
        )
        try check()
    }

    private func check() throws(S3Error) {
        guard expiration != nil || noncurrent != nil || abortsUploadsAfter != nil else {
            throw S3Error(.invalidRequest, "At least one action needs to be specified in a rule.")
        }
        if abortsUploadsAfter != nil, !filter.isPrefixOnly {
            throw S3Error(
                .invalidRequest, "AbortIncompleteMultipartUpload cannot be specified with Tags or object sizes."
            )
        }
        if case .loneMarkers = expiration, !filter.tags.isEmpty {
            throw S3Error(.invalidRequest, "ExpiredObjectDeleteMarker cannot be specified with Tags.")
        }
    }

    private static func expiration(_ element: XMLElement) throws(S3Error) -> Expiration {
        try element.checkChildren(["Days", "Date", "ExpiredObjectDeleteMarker"])
        guard element.children.count == 1, let child = element.children.first else { throw S3Error(.malformedXML) }
        switch child.name {
        case "Days": return .days(try days(child, of: "Expiration"))
        case "Date": return .date(try midnight(child.trimmedText))
        default:
            switch child.trimmedText {
            case "true": return .loneMarkers(true)
            case "false": return .loneMarkers(false)
            default: throw S3Error(.malformedXML)
            }
        }
    }

    private static func noncurrent(_ element: XMLElement) throws(S3Error) -> NoncurrentExpiration {
        try element.checkChildren(["NoncurrentDays", "NewerNoncurrentVersions"])
        guard let days = element["NoncurrentDays"] else { throw S3Error(.malformedXML) }
        var kept: Int?
        if let text = element["NewerNoncurrentVersions"]?.trimmedText {
            guard let number = Int64(text) else { throw S3Error(.malformedXML) }
            guard keptVersions.contains(number) else {
                throw S3Error(.invalidArgument, "'NewerNoncurrentVersions' must be between 1 and 100")
            }
            kept = Int(number)
        }
        return NoncurrentExpiration(
            days: try Self.days(days, of: "NoncurrentVersionExpiration"), newerVersions: kept
        )
    }

    private static func abortion(_ element: XMLElement) throws(S3Error) -> Int64 {
        try element.checkChildren(["DaysAfterInitiation"])
        guard let days = element["DaysAfterInitiation"] else { throw S3Error(.malformedXML) }
        return try Self.days(days, of: "AbortIncompleteMultipartUpload")
    }

    private static func days(_ element: XMLElement, of action: String) throws(S3Error) -> Int64 {
        guard let days = Int64(element.trimmedText) else { throw S3Error(.malformedXML) }
        guard (1...maximumDays).contains(days) else {
            throw S3Error(.invalidArgument, "'\(element.name)' for \(action) action must be a positive integer")
        }
        return days
    }

    private static func midnight(_ text: String) throws(S3Error) -> Instant {
        let date = Instant(rfc3339: text) ?? Instant(rfc3339: text + "Z") ?? Instant(rfc3339: text + "T00:00:00Z")
        guard let date else { throw S3Error(.malformedXML, "The date must be provided in ISO 8601 format.") }
        guard date == Instant(seconds: date.seconds), date.seconds % 86_400 == 0 else {
            throw S3Error(.invalidArgument, "'Date' must be at midnight GMT")
        }
        return date
    }
}

extension LifecycleRule.Filter {
    /// The largest size that a filter may name (S3 user guide, "Lifecycle configuration elements").
    private static let maximumSize: Int64 = 50 << 40
    /// The most tags of a filter: more than an object can have would never hold.
    private static let maximumTags = TagSet.limitOfObject

    /// Whether it asks for nothing but the beginning of keys.
    var isPrefixOnly: Bool { tags.isEmpty && sizeAbove == nil && sizeBelow == nil }

    fileprivate init(of rule: XMLElement) throws(S3Error) {
        switch (rule["Filter"], rule["Prefix"]) {
        case (nil, let prefix?):
            self.init(prefix: try Self.prefix(prefix))
            form = .legacy
        case (let filter?, nil):
            self.init()
            let conditions = ["Prefix", "Tag", "ObjectSizeGreaterThan", "ObjectSizeLessThan"]
            try filter.checkChildren(Set(conditions + ["And"]))
            guard filter.children.count <= 1 else { throw S3Error(.malformedXML) }
            guard let and = filter["And"] else {
                try read(filter)
                return
            }
            form = .all
            try and.checkChildren(Set(conditions), repeated: ["Tag"])
            guard and.children.count >= 2 else { throw S3Error(.malformedXML) }
            try read(and)
        default:
            throw S3Error(.malformedXML)
        }
    }

    private mutating func read(_ element: XMLElement) throws(S3Error) {
        prefix = try element["Prefix"].map(Self.prefix)
        sizeAbove = try element["ObjectSizeGreaterThan"].map(Self.size)
        sizeBelow = try element["ObjectSizeLessThan"].map(Self.size)
        if let sizeBelow, sizeBelow <= (sizeAbove ?? 0) {
            throw S3Error(.invalidRequest, "'ObjectSizeLessThan' must be greater than 'ObjectSizeGreaterThan'.")
        }
        for tag in element.all("Tag") {
            try tag.checkChildren(["Key", "Value"])
            guard let key = tag["Key"]?.text, let value = tag["Value"]?.text else { throw S3Error(.malformedXML) }
            tags.append(TagSet.Tag(key: key, value: value))
        }
        guard Set(tags.map { Array($0.key.utf8) }).count == tags.count else {
            throw S3Error(.invalidRequest, "Duplicate Tag Keys are not allowed.")
        }
        _ = try TagSet(tags, limit: Self.maximumTags)
    }

    private static func prefix(_ element: XMLElement) throws(S3Error) -> String {
        guard element.text.utf8.count <= ObjectKey.maximumLength else {
            throw S3Error(.invalidRequest, "The maximum size of a prefix is 1024.")
        }
        return element.text
    }

    private static func size(_ element: XMLElement) throws(S3Error) -> Int64 {
        guard let size = Int64(element.trimmedText) else { throw S3Error(.malformedXML) }
        guard (0...maximumSize).contains(size) else {
            throw S3Error(.invalidRequest, "'\(element.name)' must be from 0 to \(maximumSize).")
        }
        return size
    }
}
