package import Model

/// What a bucket deletes by itself, and when (S3 API reference, `LifecycleConfiguration`).
package struct LifecycleConfiguration: Sendable, Hashable {
    /// The most rules that a bucket may have (same place).
    package static let maximumRules = 1000

    package let rules: [LifecycleRule]

    package init(rules: [LifecycleRule]) { self.rules = rules }
}

/// One rule of a lifecycle.
package struct LifecycleRule: Sendable, Hashable {
    /// Which objects a rule is about.
    ///
    /// All that is given must hold.
    package struct Filter: Sendable, Hashable {
        /// How the client wrote it, so that it gets back what it gave.
        package enum Form: Sendable, Hashable {
            /// `Prefix` in the rule itself, as before there were filters.
            case legacy
            /// `Filter` with nothing or one condition in it.
            case single
            /// `Filter` with `And`.
            case all
        }

        package var form = Form.single
        package var prefix: String?
        package var tags: [TagSet.Tag] = []
        /// In bytes; the object must be larger.
        package var sizeAbove: Int64?
        /// In bytes; the object must be smaller.
        package var sizeBelow: Int64?

        package init(prefix: String? = nil) { self.prefix = prefix }
    }

    /// When the current version expires.
    package enum Expiration: Sendable, Hashable {
        /// So many days after it was written.
        case days(Int64)
        /// From that midnight (UTC) on.
        case date(Instant)
        /// Never; but delete markers go that are all that is left of their keys, where this is true.
        case loneMarkers(Bool)
    }

    /// When versions expire that are not the latest.
    package struct NoncurrentExpiration: Sendable, Hashable {
        /// Counted from when a newer version came.
        package var days: Int64
        /// How many of the newest stay whatever their age; `nil` for none.
        package var newerVersions: Int?

        package init(days: Int64, newerVersions: Int? = nil) {
            (self.days, self.newerVersions) = (days, newerVersions)
        }
    }

    package var id: String
    package var isEnabled: Bool
    package var filter: Filter
    package var expiration: Expiration?
    package var noncurrent: NoncurrentExpiration?
    /// Days from its beginning after which an unfinished upload is given up.
    package var abortsUploadsAfter: Int64?

    package init(
        id: String,
        isEnabled: Bool = true,
        filter: Filter = Filter(),
        expiration: Expiration? = nil,
        noncurrent: NoncurrentExpiration? = nil,
        abortsUploadsAfter: Int64? = nil
    ) {
        self.id = id
        self.isEnabled = isEnabled
        self.filter = filter
        self.expiration = expiration
        self.noncurrent = noncurrent
        self.abortsUploadsAfter = abortsUploadsAfter
    }
}

extension LifecycleConfiguration: ResultDocument {
    package func write(to writer: inout XMLWriter) {
        writer.element("LifecycleConfiguration", namespace: XMLWriter.s3Namespace) { writer in
            for rule in rules { rule.write(to: &writer) }
        }
    }
}

extension LifecycleRule {
    fileprivate func write(to writer: inout XMLWriter) {
        writer.element("Rule") { writer in
            writer.element("ID", id)
            filter.write(to: &writer)
            writer.element("Status", isEnabled ? "Enabled" : "Disabled")
            if let expiration {
                writer.element("Expiration") { writer in
                    switch expiration {
                    case .days(let days): writer.element("Days", days)
                    case .date(let date): writer.element("Date", date.rfc3339(fractionDigits: 3))
                    case .loneMarkers(let go): writer.element("ExpiredObjectDeleteMarker", go)
                    }
                }
            }
            if let noncurrent {
                writer.element("NoncurrentVersionExpiration") { writer in
                    writer.element("NoncurrentDays", noncurrent.days)
                    if let kept = noncurrent.newerVersions { writer.element("NewerNoncurrentVersions", kept) }
                }
            }
            if let abortsUploadsAfter {
                writer.element("AbortIncompleteMultipartUpload") {
                    $0.element("DaysAfterInitiation", abortsUploadsAfter)
                }
            }
        }
    }
}

extension LifecycleRule.Filter {
    fileprivate func write(to writer: inout XMLWriter) {
        switch form {
        case .legacy: writer.element("Prefix", prefix ?? "")
        case .single: writer.element("Filter") { writeConditions(to: &$0) }
        case .all: writer.element("Filter") { $0.element("And") { writeConditions(to: &$0) } }
        }
    }

    private func writeConditions(to writer: inout XMLWriter) {
        writer.element("Prefix", ifPresent: prefix)
        for tag in tags {
            writer.element("Tag") {
                $0.element("Key", tag.key)
                $0.element("Value", tag.value)
            }
        }
        writer.element("ObjectSizeGreaterThan", ifPresent: sizeAbove.map { String($0) })
        writer.element("ObjectSizeLessThan", ifPresent: sizeBelow.map { String($0) })
    }
}
