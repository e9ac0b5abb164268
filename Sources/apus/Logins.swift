import AsyncHTTPClient
import Cluster
import Identity
import Logging
import Model
import Settings
import StateStore
import SystemPackage

/// Who can come in: the parts that find it out, made by hand.
struct Logins: Sendable {
    let users: UserDesk
    let tokens: TokenVerifier
    let now: @Sendable () -> Instant

    /// - Throws: `SettingError`, `IdentityError`, `StateStoreError`.
    static func open(
        _ settings: IdentitySettings,
        administrator: Credentials,
        data: FilePath,
        state: ClusterState,
        httpClient: HTTPClient,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) async throws -> Logins {
        let verification = try settings.verification
        let users = try await UserDesk.open(
            store: state, vault: try Vault.open(dataDirectory: data),
            settings: .init(
                groups: verification.groups, operators: Set(settings.operators),
                reserved: [administrator.username, Principal.anonymous.name]),
            now: now, logger: logger)
        let tokens = TokenVerifier(
            verification, exchange: ProviderExchange(httpClient: httpClient), admit: { await users.admit($0) }, now: now
        )
        users.whenChanged { tokens.forget($0) }
        return Logins(users: users, tokens: tokens, now: now)
    }

    func authenticator(
        _ credentials: Credentials,
        serviceForToken: @escaping @Sendable (String) -> ServiceName?
    ) -> Authenticator {
        let (users, tokens) = (users, tokens)
        var verifyToken: (@Sendable (String) async -> Result<User, LoginRefusal>)?
        if tokens.isEnabled { verifyToken = { await tokens.result(of: $0) } }
        return Authenticator(
            credentials: credentials, serviceForToken: serviceForToken,
            userForToken: { token in tokens.known(token).flatMap { users.isActive($0.id) ? $0 : nil } },
            userForAccessKey: { users.user(forAccessKey: $0) }, verifyToken: verifyToken,
            logins: LoginGuard(now: now))
    }
}
