extension StorageIO {
    /// What an input is told of (ours).
    package enum EventKind: String, Sendable, Hashable, CaseIterable {
        /// An object was made or replaced.
        case created
        /// An object was deleted, or hidden by a delete marker.
        case removed
    }

    /// Reads an entry's `events`: one word or a list of them; nothing means `created`.
    static func readEvents(_ reader: FieldReader) throws(ServiceSpecificationError) -> Set<EventKind> {
        var kinds: Set<EventKind> = []
        for word in try reader.strings("events") {
            guard let kind = EventKind(rawValue: word.trimmingWhiteSpace().lowercased()) else {
                throw reader.invalid("events", "\"\(word)\" is not allowed: write created, removed or both")
            }
            kinds.insert(kind)
        }
        return kinds.isEmpty ? [.created] : kinds
    }

    /// The kinds in their order; `nil` where they are what everybody has.
    var eventsJSON: JSONValue? {
        events == [.created] ? nil : .strings(EventKind.allCases.filter(events.contains).map(\.rawValue))
    }
}

extension ObjectEvent.Cause {
    /// The word with which an input asks for such events.
    package var inputKind: StorageIO.EventKind { isCreation ? .created : .removed }
}
