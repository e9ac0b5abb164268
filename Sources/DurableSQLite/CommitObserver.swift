package import GRDB

/// Sees the transactions of a database from the connection that writes.
package protocol CommitObserver: Sendable {
    /// Prepares the connection that writes, once.
    func prepare(_ database: Database) throws
    /// A transaction was committed or given up; nobody was told yet.
    func transactionEnded()
}
