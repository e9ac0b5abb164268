package import Model

extension LifecycleConfiguration {
    /// What a rule looks at of an object or a version.
    package struct Subject: Sendable, Hashable {
        package let key: String
        /// In bytes.
        package let size: Int64
        package let tags: TagSet

        package init(key: String, size: Int64, tags: TagSet = TagSet()) {
            (self.key, self.size, self.tags) = (key, size, tags)
        }
    }

    /// When an object expires that is the latest version of its key, and the rule that says so; `nil` for never.
    ///
    /// Where several rules apply, the earliest does.
    ///
    /// - Parameter written: when the object was last written.
    package func expiry(of subject: Subject, written: Instant) -> (time: Instant, rule: String)? {
        var earliest: (time: Instant, rule: String)?
        for rule in rules where rule.isEnabled && rule.filter.matches(subject) {
            let time: Instant
            switch rule.expiration {
            case .days(let days): time = Self.midnight(days, after: written)
            case .date(let date): time = date
            case .loneMarkers, nil: continue
            }
            if earliest.map({ time < $0.time }) ?? true { earliest = (time, rule.id) }
        }
        return earliest
    }

    /// Whether a version is to be deleted that is not the latest.
    ///
    /// - Parameters:
    ///   - subject: the version; a delete marker has no size and no tags.
    ///   - since: when a newer version came.
    ///   - newerNoncurrent: how many versions are newer, the latest not counted.
    package func expires(
        noncurrent subject: Subject,
        since: Instant,
        newerNoncurrent: Int,
        now: Instant
    ) -> Bool {
        rules.contains { rule in
            guard rule.isEnabled, let limit = rule.noncurrent, newerNoncurrent >= limit.newerVersions ?? 0 else {
                return false
            }
            return now >= Self.midnight(limit.days, after: since) && rule.filter.matches(subject)
        }
    }

    /// Whether a delete marker is to go that is all that is left of its key.
    ///
    /// A rule that expires objects after a number of days removes such markers of that age, too (S3 user guide,
    /// "Expiring objects").
    package func expires(loneMarkerOf key: String, written: Instant, now: Instant) -> Bool {
        rules.contains { rule in
            // A marker has neither size nor tags that a filter could ask for.
            guard rule.isEnabled, rule.filter.isPrefixOnly, rule.filter.hasPrefix(key) else { return false }
            switch rule.expiration {
            case .loneMarkers(let go): return go
            case .days(let days): return now >= Self.midnight(days, after: written)
            case .date, nil: return false
            }
        }
    }

    /// Whether an unfinished upload is to be given up.
    package func aborts(uploadOf key: String, initiated: Instant, now: Instant) -> Bool {
        rules.contains { rule in
            guard rule.isEnabled, let days = rule.abortsUploadsAfter, rule.filter.hasPrefix(key) else { return false }
            return now >= Self.midnight(days, after: initiated)
        }
    }

    /// The first midnight (UTC) that comes after so many days have passed (S3 user guide, "Lifecycle rules: based on
    /// an object's age": the days are added, and the result is rounded up to the next day).
    static func midnight(_ days: Int64, after instant: Instant) -> Instant {
        let day = 86_400 as Int64
        let remainder = instant.seconds % day
        let startOfDay = instant.seconds - (remainder < 0 ? remainder + day : remainder)
        return Instant(seconds: startOfDay) + .seconds(days * day + day)
    }
}

extension LifecycleConfiguration {
    /// What the keys begin with that any rule in force is about: nothing else needs to be looked at.
    package func prefix(of rules: (LifecycleRule) -> Bool) -> String? {
        var common: String?
        for rule in self.rules where rule.isEnabled && rules(rule) {
            let prefix = rule.filter.prefix ?? ""
            common = common.map { Self.commonBeginning($0, prefix) } ?? prefix
        }
        return common
    }

    private static func commonBeginning(_ left: String, _ right: String) -> String {
        var common = String.UnicodeScalarView()
        for (one, other) in zip(left.unicodeScalars, right.unicodeScalars) {
            guard one == other else { break }
            common.append(one)
        }
        return String(common)
    }
}

extension LifecycleRule.Filter {
    func hasPrefix(_ key: String) -> Bool { key.utf8.starts(with: (prefix ?? "").utf8) }

    func matches(_ subject: LifecycleConfiguration.Subject) -> Bool {
        guard hasPrefix(subject.key), sizeAbove.map({ subject.size > $0 }) ?? true,
            sizeBelow.map({ subject.size < $0 }) ?? true
        else { return false }
        return tags.allSatisfy { wanted in
            subject.tags.tags.contains {
                $0.key.utf8.elementsEqual(wanted.key.utf8) && $0.value.utf8.elementsEqual(wanted.value.utf8)
            }
        }
    }
}
