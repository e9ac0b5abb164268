import Model

/// One line of a statement's conditions: an operator, a key, and the values that it is compared with.
package struct PolicyCondition: Sendable, Hashable {
    enum Order: Sendable, Hashable { case equal, less, lessOrEqual, greater, greaterOrEqual }

    enum Test: Sendable, Hashable {
        case texts([WildcardPattern], ignoringCase: Bool)
        case flags([Bool])
        case networks([IPNetwork])
        case numbers(Order, [Double])
        case times(Order, [Instant])
        /// Whether there must be no value.
        case absence(Bool)
    }

    let key: PolicyKey
    let test: Test
    /// Whether none of the values may match, instead of one.
    let isNegated: Bool
    /// Whether it holds where the fact is not known (`…IfExists`).
    let holdsWithoutFact: Bool

    func holds(_ facts: PolicyFacts) -> Bool {
        if case .absence(let wanted) = test { return (facts[key] == nil) == wanted }
        guard let fact = facts[key] else { return isNegated || holdsWithoutFact }
        return matches(fact, facts) != isNegated
    }

    private func matches(_ fact: String, _ facts: PolicyFacts) -> Bool {
        switch test {
        case .texts(let patterns, let ignoringCase):
            guard ignoringCase else { return patterns.contains { $0.matches(fact, facts) } }
            let lowered = fact.lowercased()
            return patterns.contains { $0.matches(lowered, facts.mapValues { $0.lowercased() }) }
        case .flags(let flags): return flags.contains { fact == ($0 ? "true" : "false") }
        case .networks(let networks): return networks.contains { $0.contains(fact) }
        case .numbers(let order, let numbers):
            guard let number = Double(fact) else { return false }
            return numbers.contains { order.holds(number, $0) }
        case .times(let order, let times):
            guard let time = Self.time(fact) else { return false }
            return times.contains { order.holds(time, $0) }
        case .absence(let wanted): return !wanted
        }
    }

    /// Whether it lets in only who is at few addresses or has a certain name: then a statement that has it makes
    /// nothing public (S3 user guide, "The meaning of 'public'").
    var isNarrow: Bool {
        guard !isNegated, !holdsWithoutFact else { return false }
        switch test {
        case .networks(let networks):
            return key == .sourceAddress && networks.allSatisfy { $0.length >= ($0.isVersion4 ? 8 : 32) }
        case .texts(let patterns, _):
            return (key == .userID || key == .userName) && patterns.allSatisfy(\.isFixed)
        case .flags, .numbers, .times, .absence: return false
        }
    }

    /// A date and time of ISO 8601, a date alone, or seconds since 1970.
    static func time(_ text: String) -> Instant? {
        Instant(rfc3339: text) ?? Instant(rfc3339: "\(text)T00:00:00Z") ?? Int64(text).map(Instant.init(seconds:))
    }
}

extension PolicyCondition.Order {
    func holds<T: Comparable>(_ left: T, _ right: T) -> Bool {
        switch self {
        case .equal: left == right
        case .less: left < right
        case .lessOrEqual: left <= right
        case .greater: left > right
        case .greaterOrEqual: left >= right
        }
    }
}
