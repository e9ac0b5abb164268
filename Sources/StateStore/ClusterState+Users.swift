import DurableSQLite
import GRDB
package import Model

/// Somebody who has logged in once, as the store keeps it.
package struct UserRecord: Sendable, Hashable {
    package var id: UserID
    package var name: String
    /// At the last login.
    package var groups: [String]
    /// The identity provider that knows them.
    package var issuer: String
    package var accessKey: String
    /// Encrypted; nothing in the store can read it.
    package var sealedSecret: String
    package var isDisabled: Bool
    package var firstSeen: Instant
    package var lastSeen: Instant

    package init(
        id: UserID,
        name: String,
        groups: [String],
        issuer: String,
        accessKey: String,
        sealedSecret: String,
        isDisabled: Bool = false,
        firstSeen: Instant,
        lastSeen: Instant
    ) {
        (self.id, self.name, self.groups, self.issuer) = (id, name, groups, issuer)
        (self.accessKey, self.sealedSecret, self.isDisabled) = (accessKey, sealedSecret, isDisabled)
        (self.firstSeen, self.lastSeen) = (firstSeen, lastSeen)
    }
}

extension Schema {
    static let users = SchemaStep(
        "users",
        sql: """
            CREATE TABLE user (
                sub TEXT NOT NULL PRIMARY KEY,
                name TEXT NOT NULL,
                member_of TEXT NOT NULL,       -- groups, a JSON array
                issuer TEXT NOT NULL,
                access_key TEXT NOT NULL UNIQUE,
                secret TEXT NOT NULL,          -- encrypted
                disabled INTEGER NOT NULL DEFAULT 0,
                first_seen INTEGER NOT NULL,   -- nanoseconds since 1970, as the one below
                last_seen INTEGER NOT NULL
            ) WITHOUT ROWID;
            """
    )
}

extension ClusterState {
    /// All users, by identifier.
    package func users() async throws(StateStoreError) -> [UserRecord] {
        try await read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM user ORDER BY sub").map(UserRecord.init(row:))
        }
    }

    /// Records a user, new or changed.
    ///
    /// - Throws: `alreadyExists` where another user has the access key.
    package func put(_ user: UserRecord) async throws(StateStoreError) {
        try await write { database in
            let sql = "SELECT EXISTS (SELECT 1 FROM user WHERE access_key = ? AND sub != ?)"
            guard try Bool.fetchOne(database, sql: sql, arguments: [user.accessKey, user.id.text]) != true else {
                throw StateStoreError(code: .alreadyExists, message: "another user has the access key")
            }
            try database.execute(
                sql: """
                    INSERT INTO user (sub, name, member_of, issuer, access_key, secret, disabled, first_seen, last_seen)
                    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    ON CONFLICT (sub) DO UPDATE SET name = excluded.name, member_of = excluded.member_of,
                        issuer = excluded.issuer, access_key = excluded.access_key, secret = excluded.secret,
                        disabled = excluded.disabled, last_seen = excluded.last_seen
                    """,
                arguments: [
                    user.id.text, user.name, JSONValue.strings(user.groups).text(), user.issuer, user.accessKey,
                    user.sealedSecret, user.isDisabled, user.firstSeen.nanoseconds, user.lastSeen.nanoseconds,
                ]
            )
        }
    }

    /// Forgets a user; false where there was none.
    package func deleteUser(_ id: UserID) async throws(StateStoreError) -> Bool {
        try await write { database in
            try database.execute(sql: "DELETE FROM user WHERE sub = ?", arguments: [id.text])
            return database.changesCount == 1
        }
    }
}

extension UserRecord {
    fileprivate init(row: Row) throws {
        do {
            self.init(
                id: try UserID(row["sub"] as String), name: row["name"],
                groups: (try JSONValue.parse(row["member_of"] as String).arrayValue ?? []).compactMap(\.stringValue),
                issuer: row["issuer"], accessKey: row["access_key"], sealedSecret: row["secret"],
                isDisabled: row["disabled"], firstSeen: Instant(nanoseconds: row["first_seen"]),
                lastSeen: Instant(nanoseconds: row["last_seen"]))
        } catch {
            throw StateStoreError(code: .damaged, message: "a user in the store cannot be read", cause: error)
        }
    }
}
