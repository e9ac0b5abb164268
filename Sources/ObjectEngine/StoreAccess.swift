import DurableSQLite
import GRDB
package import SystemPackage

/// A store that is looked at from outside of the server: to verify it, to copy it, to take objects out.
package final class StoreAccess: Sendable {
    /// Whether nobody else has the store open, so that it may be changed.
    package let isExclusive: Bool
    let database: DurableDatabase
    let files: ContentFiles

    private init(isExclusive: Bool, database: DurableDatabase, files: ContentFiles) {
        self.isExclusive = isExclusive
        self.database = database
        self.files = files
    }

    /// Opens the store in a directory; makes none.
    ///
    /// - `isExclusive`: whether the caller has made sure that no other process uses it. Else it is only read, which
    ///   is safe beside a server.
    ///
    /// - Throws: `noStore`, `newerVersion`, `olderVersion` (where it is only read), `damaged`, `io`.
    package static func open(
        at directory: FilePath,
        isExclusive: Bool
    ) async throws(ObjectStoreError) -> StoreAccess {
        let path = directory.string + "/index.sqlite"
        let files = ContentFiles(directory: directory.string, durability: .always, threadCount: 2)
        do throws(ObjectStoreError) {
            try await files.run { () throws(ObjectStoreError) in try requireFile(path) }
            do throws(DurableSQLiteError) {
                let database =
                    isExclusive
                    ? try await DurableDatabase.open(at: path, steps: Schema.steps)
                    : try await DurableDatabase.openReadOnly(at: path, steps: Schema.steps)
                return StoreAccess(isExclusive: isExclusive, database: database, files: files)
            } catch {
                throw ObjectStoreError(index: error)
            }
        } catch {
            await files.close()
            throw error
        }
    }

    private static func requireFile(_ path: String) throws(ObjectStoreError) {
        do throws(Errno) {
            guard try FileSystemCalls.real.size(of: path) == nil else { return }
        } catch {
            throw ObjectStoreError(error, "cannot read \(path)")
        }
        throw ObjectStoreError(.noStore, "there is no object store: \(path) is missing; name its directory with --data")
    }

    /// Ends the look.
    package func close() async {
        await database.close()
        await files.close()
    }

    /// Runs `body` on a snapshot of the index.
    func read<T: Sendable>(
        _ body: @escaping @Sendable (ObjectIndex) throws -> T
    ) async throws(ObjectStoreError) -> T {
        try await database.readIndex(body)
    }

    /// Changes the index; only where nobody else has the store open.
    func write<T: Sendable>(
        _ body: @escaping @Sendable (ObjectIndex) throws -> T
    ) async throws(ObjectStoreError) -> T {
        guard isExclusive else { throw ObjectStoreError(.misuse, "a store that is in use was to be changed") }
        do {
            return try await database.write { try body(ObjectIndex($0)) }
        } catch {
            throw ObjectStoreError(index: error)
        }
    }
}
