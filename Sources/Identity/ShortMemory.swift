import Model

/// Remembers values for a while, and not more of them than it may.
struct ShortMemory<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    private let most: Int
    private var entries: [Key: (value: Value, until: Instant)] = [:]

    init(most: Int) { self.most = most }

    var count: Int { entries.count }

    /// What was kept, where its time is not over.
    func value(of key: Key, at now: Instant) -> Value? {
        guard let entry = entries[key], now < entry.until else { return nil }
        return entry.value
    }

    /// Keeps a value.
    ///
    /// Where there is no room, what is over goes; then some that are not, no matter which.
    mutating func keep(_ value: Value, for key: Key, until: Instant, at now: Instant) {
        guard now < until else { return }
        if entries.count >= most, entries[key] == nil {
            entries = entries.filter { now < $0.value.until }
            if entries.count >= most { for key in Array(entries.keys.prefix(max(1, most / 8))) { entries[key] = nil } }
        }
        entries[key] = (value, until)
    }

    mutating func remove(_ key: Key) { entries[key] = nil }

    mutating func removeAll(where isWanted: (Value) -> Bool) {
        entries = entries.filter { !isWanted($0.value.value) }
    }
}
