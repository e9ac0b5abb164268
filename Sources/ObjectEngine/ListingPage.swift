/// A page of a list that is being filled.
struct ListingPage<Entry> {
    let limit: Int
    private(set) var entries: [Entry] = []
    private(set) var commonPrefixes: [String] = []
    private(set) var isTruncated = false
    /// The common prefix that it ends with; `nil` where it ends with an entry.
    private var lastPrefix: String?

    init(limit: Int) { self.limit = limit }

    /// - Returns: `false` where the page was full before: there is more.
    mutating func add(_ entry: @autoclosure () throws -> Entry) rethrows -> Bool {
        guard hasRoom() else { return false }
        entries.append(try entry())
        lastPrefix = nil
        return true
    }

    mutating func add(commonPrefix: String) -> Bool {
        guard hasRoom() else { return false }
        commonPrefixes.append(commonPrefix)
        lastPrefix = commonPrefix
        return true
    }

    /// What a cut page ends with: a common prefix or an entry.
    var last: (commonPrefix: String?, entry: Entry?)? {
        guard isTruncated else { return nil }
        return (lastPrefix, lastPrefix == nil ? entries.last : nil)
    }

    private mutating func hasRoom() -> Bool {
        isTruncated = entries.count + commonPrefixes.count >= limit
        return !isTruncated
    }
}
