/// Who is told of a bucket's events (S3 API reference, `NotificationConfiguration`).
package struct NotificationConfiguration: Sendable, Hashable {
    /// The most rules that a bucket may have.
    package static let maximumRules = 100

    package let rules: [NotificationRule]

    package init(rules: [NotificationRule] = []) { self.rules = rules }

    /// The rules that an event of a key calls for.
    ///
    /// - Parameter event: its full name, such as `s3:ObjectCreated:Put`.
    package func rules(for event: String, of key: String) -> [NotificationRule] {
        rules.filter { $0.matches(event, key) }
    }

    /// Whether any rule asks for an event of one of these groups, such as `s3:ObjectRemoved:`.
    package func asks(for groups: [String]) -> Bool {
        rules.contains { rule in
            rule.events.contains { event in groups.contains { event.rawValue.hasPrefix($0) } }
        }
    }
}

/// One target, and what it is told.
package struct NotificationRule: Sendable, Hashable {
    /// Which of S3's services the client takes the target for; here they are all the same.
    package enum Kind: String, Sendable, Hashable, CaseIterable {
        case queue = "QueueConfiguration"
        case topic = "TopicConfiguration"
        case function = "CloudFunctionConfiguration"

        /// The element that holds the target's name.
        var targetElement: String {
            switch self {
            case .queue: "Queue"
            case .topic: "Topic"
            case .function: "CloudFunction"
            }
        }
    }

    package var kind: Kind
    package var id: String
    /// The target's name as the client gave it.
    package var arn: String
    package var events: [NotificationEvent]
    /// What keys must begin with; `nil` where the client said nothing.
    package var prefix: String?
    /// What keys must end with.
    package var suffix: String?

    package init(
        kind: Kind = .queue,
        id: String,
        arn: String,
        events: [NotificationEvent],
        prefix: String? = nil,
        suffix: String? = nil
    ) {
        (self.kind, self.id, self.arn, self.events) = (kind, id, arn, events)
        (self.prefix, self.suffix) = (prefix, suffix)
    }

    /// The name in an ARN as MinIO's, `arn:minio:sqs:REGION:NAME:webhook`; `nil` for any other.
    package var targetName: String? {
        let parts = arn.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "arn", parts[1] == "minio", parts[2] == "sqs", !parts[4].isEmpty,
            parts[5] == "webhook"
        else { return nil }
        return String(parts[4])
    }

    /// Whether keys with that beginning can be among its own.
    package func mayMatch(keysWithPrefix other: String) -> Bool {
        let own = (prefix ?? "").utf8
        return own.starts(with: other.utf8) || other.utf8.starts(with: own)
    }

    fileprivate func matches(_ event: String, _ key: String) -> Bool {
        events.contains { $0.covers(event) } && key.utf8.starts(with: (prefix ?? "").utf8)
            && key.utf8.reversed().starts(with: (suffix ?? "").utf8.reversed())
    }

    /// Whether an object could call for both, which S3 refuses.
    func overlaps(_ other: NotificationRule) -> Bool {
        guard events.contains(where: { event in other.events.contains { $0.overlaps(event) } }) else { return false }
        let (mine, others) = (Array((suffix ?? "").utf8.reversed()), Array((other.suffix ?? "").utf8.reversed()))
        return mayMatch(keysWithPrefix: other.prefix ?? "") && (mine.starts(with: others) || others.starts(with: mine))
    }
}

/// An event, or a group of them, that a rule can ask for.
package enum NotificationEvent: String, Sendable, Hashable, CaseIterable {
    case created = "s3:ObjectCreated:*"
    case createdByPut = "s3:ObjectCreated:Put"
    case createdByPost = "s3:ObjectCreated:Post"
    case createdByCopy = "s3:ObjectCreated:Copy"
    case createdByUpload = "s3:ObjectCreated:CompleteMultipartUpload"
    case removed = "s3:ObjectRemoved:*"
    case deleted = "s3:ObjectRemoved:Delete"
    case markerMade = "s3:ObjectRemoved:DeleteMarkerCreated"
    case expired = "s3:LifecycleExpiration:*"
    case expiredForGood = "s3:LifecycleExpiration:Delete"
    case expiredWithMarker = "s3:LifecycleExpiration:DeleteMarkerCreated"

    /// Groups of S3 and MinIO whose events Apus does not make.
    static let groupsNotMade = [
        "s3:ObjectAccessed:", "s3:ObjectAcl:", "s3:ObjectRestore:", "s3:ObjectTagging:", "s3:ObjectTransition:",
        "s3:ObjectLambda:", "s3:Replication:", "s3:Scanner:", "s3:BucketCreated:", "s3:BucketRemoved:",
        "s3:LifecycleTransition", "s3:IntelligentTiering", "s3:ReducedRedundancyLostObject", "s3:TestEvent",
    ]

    /// Whether an event of that full name is this one, or of this group.
    package func covers(_ name: String) -> Bool {
        rawValue.utf8.last == UInt8(ascii: "*")
            ? name.utf8.starts(with: rawValue.utf8.dropLast()) : rawValue.utf8.elementsEqual(name.utf8)
    }

    func overlaps(_ other: NotificationEvent) -> Bool { covers(other.rawValue) || other.covers(rawValue) }
}

extension NotificationConfiguration: ResultDocument {
    package func write(to writer: inout XMLWriter) {
        writer.element("NotificationConfiguration", namespace: XMLWriter.s3Namespace) { writer in
            for rule in rules {
                switch rule.kind {
                case .queue: writer.element("QueueConfiguration") { rule.write(to: &$0) }
                case .topic: writer.element("TopicConfiguration") { rule.write(to: &$0) }
                case .function: writer.element("CloudFunctionConfiguration") { rule.write(to: &$0) }
                }
            }
        }
    }
}

extension NotificationRule {
    fileprivate func write(to writer: inout XMLWriter) {
        writer.element("Id", id)
        writer.element(named: kind.targetElement, arn)
        for event in events { writer.element("Event", event.rawValue) }
        guard prefix != nil || suffix != nil else { return }
        writer.element("Filter") { writer in
            writer.element("S3Key") { writer in
                for (name, value) in [("prefix", prefix), ("suffix", suffix)] {
                    guard let value else { continue }
                    writer.element("FilterRule") {
                        $0.element("Name", name)
                        $0.element("Value", value)
                    }
                }
            }
        }
    }
}
