import Model

extension NotificationConfiguration {
    /// Parses what a client gives, and refuses what S3 refuses; whether the targets are there is for others to say.
    ///
    /// - Parameter newID: makes a name for a rule that has none.
    /// - Throws: `S3Error` with `malformedXML`, `invalidArgument`; `notImplemented` for events and targets that S3
    ///   knows and Apus does not.
    package init(parsing bytes: [UInt8], newID: () -> String) throws(S3Error) {
        let root = try XMLElement.parse(bytes, maximumElements: 64 * Self.maximumRules)
        guard root.name == "NotificationConfiguration" else { throw S3Error(.malformedXML) }
        guard root["EventBridgeConfiguration"] == nil else {
            throw S3Error(
                .notImplemented, "EventBridge is not implemented; name a webhook or a service of the cluster.")
        }
        try root.checkChildren([], repeated: Set(NotificationRule.Kind.allCases.map(\.rawValue)))
        guard root.children.count <= Self.maximumRules else {
            throw S3Error(.invalidArgument, "A bucket can have \(Self.maximumRules) notification configurations.")
        }
        var rules: [NotificationRule] = []
        for element in root.children {
            guard let kind = NotificationRule.Kind(rawValue: element.name) else { throw S3Error(.malformedXML) }
            let rule = try NotificationRule(element, kind: kind, newID: newID)
            for other in rules {
                guard other.id != rule.id else {
                    throw S3Error(
                        .invalidArgument, "Same ID used for multiple configurations. IDs must be unique.",
                        details: [("ArgumentName", "Id"), ("ArgumentValue", rule.id)]
                    )
                }
                guard !other.overlaps(rule) else {
                    throw S3Error(
                        .invalidArgument,
                        "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the "
                            + "prefixes are overlapping for the same event type."
                    )
                }
            }
            rules.append(rule)
        }
        self.rules = rules
    }
}

extension NotificationRule {
    private static let maximumID = 255
    private static let maximumARN = 1024
    private static let maximumEvents = 64

    fileprivate init(_ element: XMLElement, kind: Kind, newID: () -> String) throws(S3Error) {
        try element.checkChildren(["Id", kind.targetElement, "Filter"], repeated: ["Event"])
        let id = element["Id"]?.text ?? ""
        guard id.unicodeScalars.count <= Self.maximumID else {
            throw S3Error(.invalidArgument, "ID length should not exceed allowed limit of \(Self.maximumID)")
        }
        guard let arn = element[kind.targetElement]?.trimmedText, arn.utf8.count <= Self.maximumARN else {
            throw S3Error(.malformedXML)
        }
        let texts = element.all("Event").map(\.trimmedText)
        guard (1...Self.maximumEvents).contains(texts.count) else { throw S3Error(.malformedXML) }
        var events: [NotificationEvent] = []
        for text in texts {
            let event = try Self.event(text)
            if !events.contains(event) { events.append(event) }
        }
        self.init(kind: kind, id: id.isEmpty ? newID() : id, arn: arn, events: events)
        if let filter = element["Filter"] { try read(filter) }
    }

    private static func event(_ text: String) throws(S3Error) -> NotificationEvent {
        if let event = NotificationEvent(rawValue: text) { return event }
        guard !NotificationEvent.groupsNotMade.contains(where: text.hasPrefix) else {
            throw S3Error(
                .notImplemented,
                "The event \"\(text)\" is not implemented; choose of s3:ObjectCreated, "
                    + "s3:ObjectRemoved and s3:LifecycleExpiration."
            )
        }
        throw S3Error(
            .invalidArgument, "The event \"\(text.prefix(100))\" is not supported for notifications",
            details: [("ArgumentName", "Event"), ("ArgumentValue", text)]
        )
    }

    private mutating func read(_ filter: XMLElement) throws(S3Error) {
        try filter.checkChildren(["S3Key"])
        guard let keys = filter["S3Key"] else { return }
        try keys.checkChildren([], repeated: ["FilterRule"])
        for rule in keys.children {
            try rule.checkChildren(["Name", "Value"])
            guard let name = rule["Name"]?.trimmedText.lowercased(), let value = rule["Value"]?.text else {
                throw S3Error(.malformedXML)
            }
            guard value.utf8.count <= ObjectKey.maximumLength else {
                throw S3Error(
                    .invalidArgument, "Size of filter rule value cannot exceed 1024 bytes in UTF-8 representation",
                    details: [("ArgumentName", "FilterRule.Value"), ("ArgumentValue", String(value.prefix(100)))]
                )
            }
            switch name {
            case "prefix" where prefix == nil: prefix = value
            case "suffix" where suffix == nil: suffix = value
            case "prefix", "suffix":
                throw S3Error(.invalidArgument, "Cannot specify more than one \(name) rule in a filter.")
            default:
                throw S3Error(
                    .invalidArgument, "filter rule name must be either prefix or suffix",
                    details: [("ArgumentName", "FilterRule.Name"), ("ArgumentValue", name)]
                )
            }
        }
    }
}
