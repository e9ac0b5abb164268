import Identity
package import Model
package import S3Wire
package import StateStore
import Synchronization

/// What administrators do with users, and users with their keys.
extension UserDesk {
    /// Gives a user a new secret key; the old one is good no more when this returns.
    ///
    /// - Returns: the new keys.
    /// - Throws: `ClusterError` with `notFound`, `failed`.
    package func rotateKeys(of id: UserID) async throws -> S3Credentials {
        try await change(id) { [self] entry in giveSecret(&entry) }
        guard let keys = keys(of: id) else { throw Self.notFound(id) }
        return keys
    }

    /// Takes a user's keys away; new ones come only by `rotateKeys`.
    ///
    /// - Throws: `ClusterError` with `notFound`, `failed`.
    package func removeKeys(of id: UserID) async throws {
        try await change(id) { entry in (entry.secret, entry.record.sealedSecret) = (nil, "") }
    }

    /// Lets a user in no more, or again; keys and tokens stop at once.
    ///
    /// - Throws: `ClusterError` with `notFound`, `failed`.
    package func setDisabled(_ isDisabled: Bool, _ id: UserID) async throws -> UserRecord {
        try await change(id) { entry in entry.record.isDisabled = isDisabled }
        guard let record = record(id) else { throw Self.notFound(id) }
        return record
    }

    /// Forgets a user, with the keys.
    ///
    /// What the user has stays; a new login makes the user anew.
    ///
    /// - Throws: `ClusterError` with `notFound`, `failed`.
    package func remove(_ id: UserID) async throws {
        try await serially { [self] in
            guard state.withLock({ $0.users[id] != nil }) else { throw Self.notFound(id) }
            do { _ = try await store.deleteUser(id) } catch { throw Self.failed(error) }
            state.withLock { $0.remove(id) }
        }
        tellChanged(id)
    }

    private func change(_ id: UserID, _ change: @escaping @Sendable (inout Entry) -> Void) async throws {
        try await serially { [self] in
            guard var entry = state.withLock({ $0.users[id] }) else { throw Self.notFound(id) }
            change(&entry)
            do { try await put(entry) } catch { throw Self.failed(error) }
        }
        tellChanged(id)
    }

    private static func notFound(_ id: UserID) -> ClusterError {
        ClusterError(code: .notFound, message: "there is no user \"\(id)\"; whoever logs in is one")
    }

    private static func failed(_ error: any Error) -> ClusterError {
        ClusterError(code: .failed, message: "the user could not be changed", cause: error)
    }
}
