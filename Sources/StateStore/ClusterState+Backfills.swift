import GRDB
package import Model

extension ClusterState {
    /// How many ended backfills of a service are kept.
    private static let keptBackfills = 50

    /// Begins a backfill, or finds the one that has its token.
    ///
    /// One that was cancelled or failed goes on where it was; one that is done stays done, unless `again`.
    ///
    /// - Throws: `alreadyExists` where the token is that of another walk; `notFound` where the service is gone.
    package func begin(
        _ new: NewBackfill,
        again: Bool,
        at now: Instant
    ) async throws(StateStoreError) -> BackfillRecord {
        try await write { database in
            if var known = try Self.backfill(new.service, new.token, database) {
                guard known.isSameWalk(as: new) else {
                    throw StateStoreError(
                        code: .alreadyExists,
                        message:
                            "the token \"\(new.token)\" is that of another backfill of \(new.service); choose another")
                }
                if known.state == .done, !again { return known }
                if known.state == .done || again {
                    (known.afterKey, known.seen, known.jobs, known.created) = (nil, 0, 0, now)
                }
                (known.state, known.message, known.updated) = (.running, nil, now)
                try Self.save(known, database)
                return known
            }
            try Self.insert(new, at: now, database)
            guard let begun = try Self.backfill(new.service, new.token, database) else {
                throw StateStoreError(code: .notFound, message: "there is no service \"\(new.service)\"")
            }
            try Self.forgetOldBackfills(of: new.service, database)
            return begun
        }
    }

    private static func insert(_ new: NewBackfill, at now: Instant, _ database: Database) throws {
        try database.execute(
            sql: """
                INSERT INTO backfill (service, token, bucket, prefix, since, dry_run, state, principal, created, updated)
                SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE EXISTS (SELECT 1 FROM service WHERE name = ?)
                """,
            arguments: [
                new.service.text, new.token, new.bucket.text, new.prefix, new.since?.nanoseconds, new.isDryRun,
                BackfillRecord.State.running.rawValue, new.principal, now.nanoseconds, now.nanoseconds,
                new.service.text,
            ]
        )
    }

    private static func forgetOldBackfills(of service: ServiceName, _ database: Database) throws {
        try database.execute(
            sql: """
                DELETE FROM backfill WHERE id IN (
                    SELECT id FROM backfill WHERE service = ? AND state <> ? ORDER BY id DESC LIMIT -1 OFFSET ?)
                """,
            arguments: [service.text, BackfillRecord.State.running.rawValue, keptBackfills]
        )
    }

    /// Those of a service or of all, the newest first; only those under way where `running`.
    package func backfills(
        of service: ServiceName? = nil,
        running: Bool = false
    ) async throws(StateStoreError) -> [BackfillRecord] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT * FROM backfill WHERE (? IS NULL OR service = ?) AND (NOT ? OR state = ?)
                    ORDER BY id DESC LIMIT 1000
                    """,
                arguments: [service?.text, service?.text, running, BackfillRecord.State.running.rawValue]
            ).map(BackfillRecord.init(row:))
        }
    }

    package func backfill(_ id: Int64) async throws(StateStoreError) -> BackfillRecord? {
        try await read { database in
            try Row.fetchOne(database, sql: "SELECT * FROM backfill WHERE id = ?", arguments: [id])
                .map(BackfillRecord.init(row:))
        }
    }

    /// Commits the jobs of one page and that its keys are done, in one transaction.
    ///
    /// - Returns: the backfill as it is now; `nil` where it is gone, was ended meanwhile, or somebody else did the page.
    package func advance(
        _ backfill: BackfillRecord,
        by step: BackfillStep,
        at now: Instant
    ) async throws(StateStoreError) -> BackfillRecord? {
        try await write { database in
            guard var current = try Self.backfill(backfill.service, backfill.token, database),
                current.id == backfill.id, current.state == .running, current.afterKey == backfill.afterKey
            else { return nil }
            for job in step.jobs {
                try Self.insert(job, database)
                current.jobs += Int64(database.changesCount)
            }
            current.jobs += Int64(step.counted)
            current.seen += Int64(step.seen)
            current.updated = now
            if let key = step.afterKey { current.afterKey = key } else { current.state = .done }
            try Self.save(current, database)
            return current
        }
    }

    /// Ends a backfill that is under way; false where it is not.
    package func endBackfill(
        _ id: Int64,
        as state: BackfillRecord.State,
        message: String?,
        at now: Instant
    ) async throws(StateStoreError) -> Bool {
        try await write { database in
            try database.execute(
                sql: "UPDATE backfill SET state = ?, message = ?, updated = ? WHERE id = ? AND state = ?",
                arguments: [
                    state.rawValue, message, now.nanoseconds, id, BackfillRecord.State.running.rawValue,
                ]
            )
            return database.changesCount == 1
        }
    }

    /// Whether at least so many jobs of a service wait.
    package func hasWaiting(_ count: Int, of service: ServiceName) async throws(StateStoreError) -> Bool {
        try await read { database in
            try Int64.fetchOne(
                database,
                sql: "SELECT number FROM job WHERE service = ? AND state = ? ORDER BY number LIMIT 1 OFFSET ?",
                arguments: [service.text, JobState.queued.rawValue, max(0, count - 1)]
            ) != nil
        }
    }

    private static func backfill(
        _ service: ServiceName,
        _ token: String,
        _ database: Database
    ) throws -> BackfillRecord? {
        try Row.fetchOne(
            database, sql: "SELECT * FROM backfill WHERE service = ? AND token = ?", arguments: [service.text, token]
        ).map(BackfillRecord.init(row:))
    }

    private static func save(_ backfill: BackfillRecord, _ database: Database) throws {
        try database.execute(
            sql: """
                UPDATE backfill SET state = ?, after_key = ?, seen = ?, jobs = ?, message = ?, created = ?, updated = ?
                WHERE id = ?
                """,
            arguments: [
                backfill.state.rawValue, backfill.afterKey, backfill.seen, backfill.jobs, backfill.message,
                backfill.created.nanoseconds, backfill.updated.nanoseconds, backfill.id,
            ]
        )
    }
}

extension BackfillRecord {
    fileprivate func isSameWalk(as new: NewBackfill) -> Bool {
        bucket == new.bucket && prefix == new.prefix && isDryRun == new.isDryRun
    }

    fileprivate init(row: Row) throws {
        do {
            guard let state = State(rawValue: row["state"]) else {
                throw StateStoreError(code: .damaged, message: "unknown state of a backfill")
            }
            id = row["id"]
            service = try ServiceName(row["service"] as String)
            token = row["token"]
            bucket = try BucketName(row["bucket"] as String)
            prefix = row["prefix"]
            since = (row["since"] as Int64?).map(Instant.init(nanoseconds:))
            isDryRun = row["dry_run"]
            self.state = state
            afterKey = row["after_key"]
            seen = row["seen"]
            jobs = row["jobs"]
            principal = row["principal"]
            message = row["message"]
            created = Instant(nanoseconds: row["created"])
            updated = Instant(nanoseconds: row["updated"])
        } catch {
            throw StateStoreError(code: .damaged, message: "a backfill in the store cannot be read", cause: error)
        }
    }
}
