import DurableSQLite
import GRDB
package import Model

/// A volume as the store keeps it.
package struct VolumeRecord: Sendable, Hashable {
    /// What its folder is called; never used twice.
    package let id: String
    package let owner: String
    package let name: VolumeName
    /// How much may be in it.
    package var size: ByteCount
    /// The service that made it; `nil` where a client did, by itself.
    package let service: ServiceName?
    package let policy: VolumePolicy
    package let created: Instant

    package init(
        id: String,
        owner: String,
        name: VolumeName,
        size: ByteCount,
        service: ServiceName?,
        policy: VolumePolicy,
        created: Instant
    ) {
        (self.id, self.owner, self.name, self.size) = (id, owner, name, size)
        (self.service, self.policy, self.created) = (service, policy, created)
    }
}

extension Schema {
    static let volumes = SchemaStep(
        "volumes",
        sql: """
            CREATE TABLE volume (
                owner TEXT NOT NULL,
                name TEXT NOT NULL,
                id TEXT NOT NULL UNIQUE,
                size INTEGER NOT NULL,         -- bytes
                service TEXT,                  -- that made it; NULL where a client did
                policy TEXT NOT NULL,
                created INTEGER NOT NULL,      -- nanoseconds since 1970
                PRIMARY KEY (owner, name)
            ) STRICT, WITHOUT ROWID;
            """
    )
}

extension ClusterState {
    /// All volumes.
    package func volumes() async throws(StateStoreError) -> [VolumeRecord] {
        try await read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM volume ORDER BY owner, name").map { row in
                let service: String? = row["service"]
                guard let name = try? VolumeName(row["name"] as String),
                    let policy = VolumePolicy(rawValue: row["policy"])
                else { throw StateStoreError(code: .damaged, message: "the store holds a volume that cannot be read") }
                return VolumeRecord(
                    id: row["id"], owner: row["owner"], name: name, size: ByteCount(row["size"]),
                    service: try service.map { try ServiceName($0) }, policy: policy,
                    created: Instant(nanoseconds: row["created"]))
            }
        }
    }

    /// Adds a volume.
    ///
    /// - Throws: `alreadyExists`.
    package func insert(_ volume: VolumeRecord) async throws(StateStoreError) {
        try await write { database in
            try database.execute(
                sql: """
                    INSERT INTO volume (owner, name, id, size, service, policy, created) VALUES (?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (owner, name) DO NOTHING
                    """,
                arguments: [
                    volume.owner, volume.name.text, volume.id, volume.size.bytes, volume.service?.text,
                    volume.policy.rawValue, volume.created.nanoseconds,
                ])
            guard database.changesCount > 0 else {
                throw StateStoreError(code: .alreadyExists, message: "there is a volume \"\(volume.name)\" already")
            }
        }
    }

    /// Changes how much may be in a volume; harmless where it is gone.
    package func resize(volume id: String, to size: ByteCount) async throws(StateStoreError) {
        try await write { database in
            try database.execute(sql: "UPDATE volume SET size = ? WHERE id = ?", arguments: [size.bytes, id])
        }
    }

    /// Forgets a volume; harmless where it is gone.
    package func delete(volume id: String) async throws(StateStoreError) {
        try await write { database in
            try database.execute(sql: "DELETE FROM volume WHERE id = ?", arguments: [id])
        }
    }
}
