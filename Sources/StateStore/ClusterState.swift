package import DurableSQLite
import GRDB
import Synchronization

/// What the cluster remembers: services, jobs, deliveries, and how far events were turned into jobs.
///
/// Every method that changes something returns only when the change is durable; several changes that come at the same time
/// share one commit. A type never has its module's name, hence `ClusterState`.
package final class ClusterState: Sendable {
    let database: DurableDatabase
    /// Up to which event nothing is to be done any more, also where that is not recorded yet.
    let passed = Mutex<Int64>(0)

    /// Opens the store in a file that is made where it is missing.
    ///
    /// - Throws: `StateStoreError` with `database`: the file cannot be opened, or a newer version made it.
    package static func open(
        at path: String,
        durability: Durability = .always,
        aroundLogSync: DurableDatabase.AroundLogSync? = nil
    ) async throws(StateStoreError) -> ClusterState {
        do {
            return ClusterState(
                database: try await DurableDatabase.open(
                    at: path, steps: Schema.steps, durability: durability, aroundLogSync: aroundLogSync)
            )
        } catch {
            throw StateStoreError(
                code: .database, message: "the cluster's state in \(path) cannot be opened", cause: error)
        }
    }

    /// Makes durable what was written so far, where writes do not wait for the disk.
    ///
    /// - Throws: `DurableSQLiteError` with `io`.
    package func synchronize() async throws { try await database.synchronize() }

    private init(database: DurableDatabase) { self.database = database }

    package func close() async { await database.close() }

    func write<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws(StateStoreError) -> T {
        do { return try await database.write(body) } catch { throw Self.wrap(error, "could not be written") }
    }

    func read<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws(StateStoreError) -> T {
        do { return try await database.read(body) } catch { throw Self.wrap(error, "could not be read") }
    }

    private static func wrap(_ error: any Error, _ what: String) -> StateStoreError {
        if let known = error as? StateStoreError { return known }
        return StateStoreError(code: .database, message: "the cluster's state \(what)", cause: error)
    }
}
