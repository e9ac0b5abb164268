import GRDB
import Model

extension ObjectIndex {
    /// Keeps who was to be told of the events of a bucket that is about to go.
    func addDeparture(of id: Int64, _ name: BucketName) throws {
        // Without an event in between, the bucket of this name that went before has the older events.
        try execute(
            """
            INSERT OR IGNORE INTO departures (bucket, last_event, notification)
            VALUES (?, ?, (SELECT document FROM settings WHERE bucket = ? AND kind = ?))
            """,
            [name.text, try lastEvent(), id, BucketSetting.notification.rawValue]
        )
    }

    func departures(since sequence: Int64) throws -> [BucketDeparture] {
        try rows(
            "SELECT bucket, last_event, notification FROM departures WHERE last_event >= ? ORDER BY last_event",
            [sequence]
        ).map { row in
            guard let name = try? BucketName(row[0] as String) else { throw Self.damaged("a bucket") }
            return BucketDeparture(bucket: name, lastEvent: row[1], notification: row[2])
        }
    }

    func forgetDepartures(through sequence: Int64) throws {
        try execute("DELETE FROM departures WHERE last_event <= ?", [sequence])
    }
}
