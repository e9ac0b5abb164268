import GRDB
package import Model

/// A service as the store keeps it.
package struct StoredService: Sendable {
    package var name: ServiceName
    /// The definition in its stored form.
    package var definition: JSONValue
    /// Buckets that were made for this service, and that nobody else had before.
    package var madeBuckets: [BucketName]
    /// 1 at first, one more with each update.
    package var version: Int64
    package var created: Instant
    package var updated: Instant

    package init(
        name: ServiceName,
        definition: JSONValue,
        madeBuckets: [BucketName],
        version: Int64,
        created: Instant,
        updated: Instant
    ) {
        self.name = name
        self.definition = definition
        self.madeBuckets = madeBuckets
        self.version = version
        self.created = created
        self.updated = updated
    }
}

extension ClusterState {
    /// All services, by name.
    package func services() async throws(StateStoreError) -> [StoredService] {
        try await read { database in
            try Row.fetchAll(database, sql: "SELECT * FROM service ORDER BY name").map(StoredService.init(row:))
        }
    }

    /// - Throws: `alreadyExists` where a service has that name.
    package func insert(_ service: StoredService) async throws(StateStoreError) {
        try await write { [self] database in
            try recordPassed(database)
            let name = service.name.text
            let sql = "SELECT EXISTS (SELECT 1 FROM service WHERE name = ?)"
            guard try Bool.fetchOne(database, sql: sql, arguments: [name]) != true else {
                throw StateStoreError(code: .alreadyExists, message: "the service \"\(name)\" exists already")
            }
            try database.execute(
                sql:
                    "INSERT INTO service (name, definition, made_buckets, version, created, updated) VALUES (?, ?, ?, ?, ?, ?)",
                arguments: [
                    name, service.definition.text(), service.bucketsText, service.version, service.created.nanoseconds,
                    service.updated.nanoseconds,
                ]
            )
        }
    }

    /// - Throws: `notFound` where no service has that name.
    package func update(_ service: StoredService) async throws(StateStoreError) {
        try await write { [self] database in
            try recordPassed(database)
            try database.execute(
                sql: "UPDATE service SET definition = ?, made_buckets = ?, version = ?, updated = ? WHERE name = ?",
                arguments: [
                    service.definition.text(), service.bucketsText, service.version, service.updated.nanoseconds,
                    service.name.text,
                ]
            )
            guard database.changesCount == 1 else {
                throw StateStoreError(code: .notFound, message: "there is no service \"\(service.name)\"")
            }
        }
    }

    /// The jobs of a service that may have files beside the database: their event, or results that wait for another
    /// storage.
    package func jobsWithFiles(of name: ServiceName) async throws(StateStoreError) -> [JobName] {
        try await read { database in
            try String.fetchAll(
                database,
                sql: "SELECT name FROM job WHERE service = ? AND state != ? AND (event IS NULL OR state = ?)",
                arguments: [name.text, JobState.succeeded.rawValue, JobState.delivering.rawValue]
            ).map { try JobName($0) }
        }
    }

    /// Removes the service with its jobs and deliveries; false where there was none.
    package func deleteService(_ name: ServiceName) async throws(StateStoreError) -> Bool {
        try await write { database in
            try database.execute(sql: "DELETE FROM job WHERE service = ?", arguments: [name.text])
            try database.execute(sql: "DELETE FROM service WHERE name = ?", arguments: [name.text])
            return database.changesCount == 1
        }
    }
}

extension StoredService {
    fileprivate var bucketsText: String { JSONValue.strings(madeBuckets.map(\.text)).text() }

    fileprivate init(row: Row) throws {
        do {
            let buckets = try JSONValue.parse(row["made_buckets"] as String).arrayValue ?? []
            self.init(
                name: try ServiceName(row["name"] as String),
                definition: try JSONValue.parse(row["definition"] as String),
                madeBuckets: try buckets.compactMap(\.stringValue).map { try BucketName($0) },
                version: row["version"],
                created: Instant(nanoseconds: row["created"]),
                updated: Instant(nanoseconds: row["updated"])
            )
        } catch {
            throw StateStoreError(code: .damaged, message: "a service in the store cannot be read", cause: error)
        }
    }
}
