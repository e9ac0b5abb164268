import Cluster
import ClusterTesting
import Crypto
import Identity
import Model
import Synchronization

/// Users of a cluster without an identity provider: the token of a user is `token.of.NAME`, any number of letters before it.
final class LoginFixture: Sendable {
    let users: UserDesk
    private let verified = Mutex<[String: User]>([:])
    /// How often somebody asked whose a token is.
    let asked = Mutex(0)

    init(_ cluster: ClusterFixture, groups: [String] = []) async throws {
        users = try await UserDesk.open(
            store: cluster.state, vault: Vault(key: SymmetricKey(size: .bits256)),
            settings: .init(operators: ["boss"]), now: ClusterFixture.now, logger: cluster.logger)
        users.whenChanged { [weak self] id in self?.verified.withLock { all in all = all.filter { $0.value.id != id } }
        }
    }

    func known(_ token: String) -> User? {
        verified.withLock { $0[token] }.flatMap { users.isActive($0.id) ? $0 : nil }
    }

    func verify(_ token: String) async -> Result<User, LoginRefusal> {
        asked.withLock { $0 += 1 }
        let parts = token.split(separator: ".").map(String.init)
        guard parts.count == 3, parts[1] == "of", let id = try? UserID(parts[2]) else {
            return .failure(LoginRefusal(.malformed, "the token is not a JSON Web Token"))
        }
        switch parts[0] {
        case "expired": return .failure(LoginRefusal(.invalid, "the token \"expired\""))
        case "foreign": return .failure(LoginRefusal(.unknownIssuer, "'x' is not listed as an authorized issuer"))
        case "down": return .failure(LoginRefusal(.unavailable, "no answer", retryAfter: .seconds(7)))
        default: break
        }
        let login = VerifiedLogin(id: id, issuer: "https://id.example", name: "Name", groups: ["vo.a"])
        let result = await users.admit(login)
        if case .success(let user) = result { verified.withLock { $0[token] = user } }
        return result
    }

    /// Who is who; only the administrator and services without logins.
    static func authenticator(
        _ logins: LoginFixture?,
        _ credentials: Credentials,
        _ catalog: ServiceCatalog
    ) -> Authenticator {
        guard let logins else {
            // Users without a provider: the token says who they are.
            return Authenticator(
                credentials: credentials, serviceForToken: { catalog.service(forToken: $0) },
                userForToken: APIFixture.user(ofToken:))
        }
        return Authenticator(
            credentials: credentials, serviceForToken: { catalog.service(forToken: $0) },
            userForToken: { logins.known($0) }, userForAccessKey: { logins.users.user(forAccessKey: $0) },
            verifyToken: { await logins.verify($0) }, logins: LoginGuard(now: ClusterFixture.now))
    }

    /// An `Authorization` of a user.
    static func bearer(_ name: String) -> String { "Bearer token.of.\(name)" }
}
