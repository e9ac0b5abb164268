package import Identity
package import Logging
package import Model
package import S3Wire
package import StateStore
import Synchronization

/// The users of a cluster: who has logged in, and the S3 keys that each of them has.
///
/// All of them are in memory, so that whose a key is can be told at once; the store has them too, before anybody is told.
package final class UserDesk: Sendable {
    /// Whom to let in, and what they may.
    package struct Settings: Sendable {
        /// A user must be in one of these; empty where that is not asked.
        package var groups: Set<String>
        /// Who may see what the whole cluster does.
        package var operators: Set<String>
        /// Names that no user may have: those that mean somebody else here.
        package var reserved: Set<String>

        package init(groups: Set<String> = [], operators: Set<String> = [], reserved: Set<String> = []) {
            (self.groups, self.operators, self.reserved) = (groups, operators, reserved)
        }
    }

    struct Entry: Sendable {
        var record: UserRecord
        /// `nil` where there are no keys, or nobody can read them.
        var secret: String?
    }

    struct State: Sendable {
        var users: [UserID: Entry] = [:]
        var keys: [String: UserID] = [:]
        /// The last change under way: the next one waits for it, so that memory and store see them in the same order.
        var last: Task<Void, Never>?
    }

    /// What an owner's column says of what the administrator has (oscar-api.md, section 4.1).
    package static let administrator = "cluster_admin"
    /// So often a login of somebody who did not change is recorded.
    private static let seenStep = Duration.seconds(600)

    let store: ClusterState
    let vault: Vault
    let settings: Settings
    let now: @Sendable () -> Instant
    let logger: Logger
    let state = Mutex(State())
    private let forgotten = Mutex<@Sendable (UserID) -> Void>({ _ in })

    private init(
        store: ClusterState,
        vault: Vault,
        settings: Settings,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        (self.store, self.vault, self.settings, self.now, self.logger) = (store, vault, settings, now, logger)
    }

    /// Reads all users.
    ///
    /// - Throws: `StateStoreError`.
    package static func open(
        store: ClusterState,
        vault: Vault,
        settings: Settings = Settings(),
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) async throws -> UserDesk {
        let desk = UserDesk(store: store, vault: vault, settings: settings, now: now, logger: logger)
        for record in try await store.users() {
            let secret: String?
            do {
                secret =
                    record.sealedSecret.isEmpty ? nil : try vault.open(record.sealedSecret, for: Self.place(record.id))
            } catch {
                logger.error(
                    "the S3 keys of a user cannot be read", metadata: ["user": "\(record.id)", "error": "\(error)"])
                secret = nil
            }
            desk.state.withLock { $0.set(Entry(record: record, secret: secret)) }
        }
        return desk
    }

    /// Whom to tell that what is remembered of a user holds no more.
    package func whenChanged(_ tell: @escaping @Sendable (UserID) -> Void) { forgotten.withLock { $0 = tell } }

    static func place(_ id: UserID) -> String { "user:\(id)" }

    // MARK: Looking up

    /// Whose access key this is, with its secret; `nil` for a key that is not known or may not be used.
    package func user(forAccessKey key: String) -> (secret: String, user: User)? {
        let entry = state.withLock { state in state.keys[key].flatMap { state.users[$0] } }
        guard let entry, let secret = entry.secret, isAdmitted(entry.record) else { return nil }
        return (secret, user(entry.record))
    }

    /// Whether a user who was let in may still come in.
    package func isActive(_ id: UserID) -> Bool {
        state.withLock { $0.users[id].map { !$0.record.isDisabled } ?? false }
    }

    /// The user's S3 keys; `nil` where there are none.
    package func keys(of id: UserID) -> S3Credentials? {
        guard let entry = state.withLock({ $0.users[id] }), let secret = entry.secret else { return nil }
        return S3Credentials(accessKey: entry.record.accessKey, secretKey: secret)
    }

    /// What is known of a user, from the last login; `nil` for somebody who was never here.
    package func record(_ id: UserID) -> UserRecord? { state.withLock { $0.users[id]?.record } }

    /// All users, by name.
    package var records: [UserRecord] {
        state.withLock { $0.users.values.map(\.record) }.sorted { $0.id < $1.id }
    }

    package func isOperator(_ id: UserID) -> Bool { settings.operators.contains(id.text) }

    private func isAdmitted(_ record: UserRecord) -> Bool {
        !record.isDisabled && (settings.groups.isEmpty || !settings.groups.isDisjoint(with: record.groups))
    }

    func user(_ record: UserRecord) -> User {
        User(id: record.id, name: record.name, groups: record.groups, isOperator: isOperator(record.id))
    }

    // MARK: Logging in

    /// Lets somebody in whose token is good: whoever comes for the first time gets S3 keys.
    package func admit(_ login: VerifiedLogin) async -> Result<User, LoginRefusal> {
        guard !settings.reserved.contains(login.id.text), login.id.text != Self.administrator else {
            return .failure(LoginRefusal(.notAdmitted, "\"\(login.id)\" is a name that the cluster itself uses"))
        }
        do {
            return try await serially { [self] in
                if let entry = state.withLock({ $0.users[login.id] }) { return try await welcome(login, entry) }
                return .success(user(try await add(login)))
            }
        } catch {
            logger.error("a user could not be recorded", metadata: ["user": "\(login.id)", "error": "\(error)"])
            return .failure(LoginRefusal(.failed, "the user could not be recorded; the cluster's log says why"))
        }
    }

    private func welcome(_ login: VerifiedLogin, _ entry: Entry) async throws -> Result<User, LoginRefusal> {
        guard !entry.record.isDisabled else {
            return .failure(LoginRefusal(.notAdmitted, "the cluster's administrator has disabled this user"))
        }
        // Two providers may call different people by the same name.
        guard entry.record.issuer == login.issuer else {
            return .failure(
                LoginRefusal(.notAdmitted, "there is a user \"\(login.id)\" of another identity provider here"))
        }
        var entry = entry
        let isOld = now() - entry.record.lastSeen >= Self.seenStep
        let isLost = entry.secret == nil && !entry.record.sealedSecret.isEmpty
        guard isOld || isLost || entry.record.name != login.name || entry.record.groups != login.groups else {
            return .success(user(entry.record))
        }
        (entry.record.name, entry.record.groups, entry.record.lastSeen) = (login.name, login.groups, now())
        if isLost { giveSecret(&entry) }
        try await put(entry)
        return .success(user(entry.record))
    }

    private func add(_ login: VerifiedLogin) async throws -> UserRecord {
        var entry = Entry(
            record: UserRecord(
                id: login.id, name: login.name, groups: login.groups, issuer: login.issuer,
                accessKey: AccessKeyText.make(for: login.id), sealedSecret: "", firstSeen: now(), lastSeen: now()))
        giveSecret(&entry)
        do { try await put(entry) } catch {
            guard error.code == .alreadyExists else { throw error }
            // Somebody's name is what was made from another one's.
            entry.record.accessKey = Secret.makeAccessKey()
            try await put(entry)
        }
        logger.info("a user has logged in for the first time", metadata: ["user": "\(login.id)"])
        return entry.record
    }

    // MARK: Changing

    func giveSecret(_ entry: inout Entry) {
        let secret = Secret.makeSecretKey()
        entry.secret = secret
        entry.record.sealedSecret = vault.seal(secret, for: Self.place(entry.record.id))
    }

    func put(_ entry: Entry) async throws(StateStoreError) {
        try await store.put(entry.record)
        state.withLock { $0.set(entry) }
    }

    func tellChanged(_ id: UserID) { forgotten.withLock { $0 }(id) }

    /// Does the work when all that came before is done.
    func serially<T: Sendable>(_ work: @escaping @Sendable () async throws -> T) async throws -> T {
        let task = state.withLock { state in
            let previous = state.last
            // Awaited right below; who waits may leave, the change is made nevertheless.
            let task = Task {
                await previous?.value
                return try await work()
            }
            // Ends with the one above.
            state.last = Task { _ = await task.result }
            return task
        }
        return try await task.value
    }
}

extension UserDesk.State {
    mutating func set(_ entry: UserDesk.Entry) {
        remove(entry.record.id)
        users[entry.record.id] = entry
        keys[entry.record.accessKey] = entry.record.id
    }

    mutating func remove(_ id: UserID) {
        guard let old = users.removeValue(forKey: id), keys[old.record.accessKey] == id else { return }
        keys[old.record.accessKey] = nil
    }
}
