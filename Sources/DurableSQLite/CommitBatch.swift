import GRDB

/// A caller's write: what to run, and whom to tell.
struct QueuedWrite: Sendable {
    /// Runs the body and gives back what tells the caller once the commit's fate is known: `nil` for success,
    /// else the reason.
    let run: @Sendable (Database) -> Outcome
    /// Tells the caller of a body that did not run.
    ///
    /// Instead of `run`, never after it.
    let refuse: @Sendable (any Error) -> Void

    struct Outcome {
        /// What the body threw.
        let error: (any Error)?
        /// Resumes the caller.
        ///
        /// Call exactly once.
        let finish: @Sendable (_ commitError: (any Error)?) -> Void
    }

    init<T: Sendable>(
        path: String,
        body: @escaping @Sendable (Database) throws -> T,
        resume: @escaping @Sendable (Result<T, any Error>) -> Void
    ) {
        refuse = { resume(.failure($0)) }
        run = { database in
            do {
                let value = try body(database)
                return Outcome(error: nil) { resume($0.map { .failure($0) } ?? .success(value)) }
            } catch {
                let known = (error as? DatabaseError).map { DurableSQLiteError($0, path: path) } ?? error
                return Outcome(error: known) { _ in resume(.failure(known)) }
            }
        }
    }
}

/// Several writes in one transaction.
struct CommitBatch {
    let writes: [QueuedWrite]
    let path: String
    let observer: (any CommitObserver)?

    /// Commits what succeeds and tells every caller.
    func run(_ database: Database) {
        var outcomes: [QueuedWrite.Outcome] = []
        outcomes.reserveCapacity(writes.count)
        var commitError: (any Error)?
        do {
            try database.inTransaction(.immediate) {
                for write in writes {
                    outcomes.append(try runAlone(write, database))
                    // SQLite ends a whole transaction by itself on a full disk or a failing one.
                    guard database.isInsideTransaction else {
                        throw outcomes.last?.error ?? Self.endedByItself(path)
                    }
                }
                return outcomes.contains { $0.error == nil } ? .commit : .rollback
            }
        } catch let error as DatabaseError {
            commitError = DurableSQLiteError(error, path: path)
        } catch {
            commitError = error
        }
        observer?.transactionEnded()
        for outcome in outcomes { outcome.finish(commitError) }
        for write in writes.dropFirst(outcomes.count) {
            write.refuse(commitError ?? Self.endedByItself(path))
        }
    }

    /// Runs one write in its savepoint; alone in its batch, the transaction is its savepoint.
    private func runAlone(_ write: QueuedWrite, _ database: Database) throws -> QueuedWrite.Outcome {
        guard writes.count > 1 else { return write.run(database) }
        try database.cachedStatement(sql: "SAVEPOINT one_write").execute()
        let outcome = write.run(database)
        guard database.isInsideTransaction else { return outcome }
        if outcome.error != nil { try database.cachedStatement(sql: "ROLLBACK TO one_write").execute() }
        try database.cachedStatement(sql: "RELEASE one_write").execute()
        return outcome
    }

    private static func endedByItself(_ path: String) -> DurableSQLiteError {
        DurableSQLiteError(code: .io, message: "database \(path): the transaction ended before its commit")
    }
}
