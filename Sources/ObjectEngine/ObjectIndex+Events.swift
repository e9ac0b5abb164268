import GRDB
import Model

extension ObjectIndex {
    func addEvent(for object: NewObject) throws {
        guard writesEvents else { return }
        try execute(
            """
            INSERT INTO events (cause, bucket, key, size, etag, content_type, metadata, time, principal, source_address)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                object.cause.rawValue, object.bucket.text, object.key.text, object.size.bytes, object.eTag,
                object.attributes.contentType,
                object.attributes.userMetadata.isEmpty
                    ? "" : JSONValue.map(object.attributes.userMetadata).text(),
                object.time.nanoseconds, object.origin.principal, object.origin.sourceAddress,
            ]
        )
    }

    /// Writes the event of a removal.
    func addEvent(
        _ cause: ObjectEvent.Cause,
        of key: ObjectKey,
        in bucket: BucketName,
        at time: Instant,
        origin: RequestOrigin
    ) throws {
        try execute(
            """
            INSERT INTO events (cause, bucket, key, size, etag, content_type, metadata, time, principal, source_address)
            VALUES (?, ?, ?, 0, '', '', '', ?, ?, ?)
            """,
            [
                cause.rawValue, bucket.text, key.text, time.nanoseconds, origin.principal, origin.sourceAddress,
            ]
        )
    }

    func events(after sequence: Int64, limit: Int) throws -> [ObjectEvent] {
        try rows(
            """
            SELECT sequence, cause, bucket, key, size, etag, content_type, metadata, time, principal, source_address
            FROM events WHERE sequence > ? ORDER BY sequence LIMIT ?
            """,
            [sequence, limit]
        ).map(Self.event)
    }

    func events(
        after sequence: Int64,
        besides buckets: [BucketName],
        reach: Int64,
        limit: Int
    ) throws -> (events: [ObjectEvent], through: Int64) {
        let newest: Int64 = try row("SELECT coalesce(max(sequence), 0) FROM events", [])?[0] ?? 0
        let (far, isTooFar) = sequence.addingReportingOverflow(reach)
        let end = isTooFar ? newest : min(newest, far)
        guard end > sequence else { return ([], sequence) }
        let marks = buckets.map { _ in "?" }.joined(separator: ", ")
        let events = try rows(
            """
            SELECT sequence, cause, bucket, key, size, etag, content_type, metadata, time, principal, source_address
            FROM events WHERE sequence > ? AND sequence <= ? AND bucket NOT IN (\(marks)) ORDER BY sequence LIMIT ?
            """,
            StatementArguments([sequence, end]) + StatementArguments(buckets.map(\.text)) + [limit]
        ).map(Self.event)
        return (events, events.count < limit ? end : events.last?.sequence ?? end)
    }

    /// The number that was given last; 0 where none was.
    func lastEvent() throws -> Int64 {
        try row("SELECT seq FROM sqlite_sequence WHERE name = 'events'", [])?[0] ?? 0
    }

    func setLastEvent(_ sequence: Int64) throws {
        try execute("DELETE FROM sqlite_sequence WHERE name = 'events'", [])
        try execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('events', ?)", [sequence])
    }

    func discardEvents(through sequence: Int64) throws {
        try execute("DELETE FROM events WHERE sequence <= ?", [sequence])
    }

    private static func event(_ row: Row) throws -> ObjectEvent {
        let metadata: String = row[7]
        guard let cause = ObjectEvent.Cause(rawValue: row[1]), let bucket = try? BucketName(row[2] as String),
            let key = try? ObjectKey(row[3] as String),
            let members = metadata.isEmpty ? [] : try? JSONValue.parse(metadata).objectValue?.members
        else { throw damaged("an event") }
        return ObjectEvent(
            sequence: row[0],
            cause: cause,
            bucket: bucket,
            key: key,
            size: ByteCount(row[4]),
            eTag: row[5],
            contentType: row[6],
            userMetadata: Dictionary(
                members.compactMap { pair in pair.value.stringValue.map { (pair.key, $0) } }
            ) { $1 },
            time: Instant(nanoseconds: row[8]),
            principal: row[9],
            sourceAddress: row[10]
        )
    }
}
