import Crypto
package import Model
import Synchronization

/// Finds out whose an OpenID Connect access token is, and remembers it.
///
/// A token that was verified is known until it expires, at most an hour: then its bearer's groups are asked for again. What
/// was refused is remembered for a short while, so that a client that tries again and again costs little.
package final class TokenVerifier: Sendable {
    /// Whom to believe, and whom to let in.
    package struct Settings: Sendable, Hashable {
        package var issuers: [IssuerURL]
        /// A user must be in one of these; empty where everyone may come in whose token is good.
        package var groups: Set<String>
        /// For whom tokens must be; `nil` where that is not asked.
        package var audience: String?

        package init(issuers: [IssuerURL], groups: Set<String> = [], audience: String? = nil) {
            (self.issuers, self.groups, self.audience) = (issuers, groups, audience)
        }
    }

    private typealias Verification = Task<Result<User, LoginRefusal>, Never>

    private struct State {
        var known = ShortMemory<SHA256Digest, User>(most: 10_000)
        var refused = ShortMemory<SHA256Digest, LoginRefusal>(most: 4_000)
        var underWay: [SHA256Digest: Verification] = [:]
    }

    private static let longestKnown = Duration.seconds(3600)
    private static let refusalKept = Duration.seconds(30)
    /// How many tokens are looked into at the same time.
    private static let mostUnderWay = 256

    private let settings: Settings
    private let issuers: [String: Issuer]
    private let rules: TokenRules
    private let admit: @Sendable (VerifiedLogin) async -> Result<User, LoginRefusal>
    private let now: @Sendable () -> Instant
    private let state = Mutex(State())

    /// - Parameters:
    ///   - admit: makes a user of somebody whose token is good, or says why not.
    ///   - now: the wall clock.
    package init(
        _ settings: Settings,
        exchange: ProviderExchange,
        admit: @escaping @Sendable (VerifiedLogin) async -> Result<User, LoginRefusal>,
        now: @escaping @Sendable () -> Instant
    ) {
        self.settings = settings
        var issuers: [String: Issuer] = [:]
        for url in settings.issuers { issuers[url.text] = Issuer(url, exchange: exchange, now: now) }
        self.issuers = issuers
        rules = TokenRules(audience: settings.audience)
        self.admit = admit
        self.now = now
    }

    /// Whether any token can be good.
    package var isEnabled: Bool { !issuers.isEmpty }

    /// Whose token this is, among those that were verified and are still good.
    package func known(_ token: String) -> User? {
        guard isEnabled, token.utf8.count <= SignedToken.maximumLength else { return nil }
        let digest = Self.digest(token)
        let now = now()
        return state.withLock { $0.known.value(of: digest, at: now) }
    }

    /// Whose token this is.
    ///
    /// Those who ask for the same one at the same time share the work, which goes on where one of them
    /// leaves.
    ///
    /// - Throws: every code of `LoginRefusal`.
    package func verify(_ text: String) async throws(LoginRefusal) -> User {
        let token = try SignedToken(text)
        let digest = Self.digest(text)
        let now = now()
        enum Found { case user(User), refusal(LoginRefusal), work(Verification) }
        let found: Found = state.withLock { state in
            if let user = state.known.value(of: digest, at: now) { return .user(user) }
            if let refusal = state.refused.value(of: digest, at: now) { return .refusal(refusal) }
            if let work = state.underWay[digest] { return .work(work) }
            guard state.underWay.count < Self.mostUnderWay else {
                return .refusal(
                    LoginRefusal(.unavailable, "too many tokens are being verified", retryAfter: .seconds(1)))
            }
            // All who wait for it await it; it ends by itself, by the deadlines of the exchanges with the provider.
            let work = Task { await self.settle(token, text, digest) }
            state.underWay[digest] = work
            return .work(work)
        }
        switch found {
        case .user(let user): return user
        case .refusal(let refusal): throw refusal
        case .work(let work): return try await work.value.get()
        }
    }

    /// As `verify`, as a value.
    package func result(of text: String) async -> Result<User, LoginRefusal> {
        do throws(LoginRefusal) { return .success(try await verify(text)) } catch { return .failure(error) }
    }

    /// Forgets all tokens of a user; the next one is looked into again.
    package func forget(_ user: UserID) { state.withLock { $0.known.removeAll { $0.id == user } } }

    // MARK: Verifying

    private func settle(_ token: SignedToken, _ text: String, _ digest: SHA256Digest) async
        -> Result<User, LoginRefusal>
    {
        let result: Result<(user: User, expires: Instant), LoginRefusal>
        do throws(LoginRefusal) { result = .success(try await look(into: token, text)) } catch {
            result = .failure(error)
        }
        let now = now()
        state.withLock { state in
            state.underWay[digest] = nil
            switch result {
            case .success(let good):
                state.known.keep(good.user, for: digest, until: min(good.expires, now + Self.longestKnown), at: now)
            case .failure(let refusal) where refusal.code != .unavailable && refusal.code != .failed:
                state.refused.keep(refusal, for: digest, until: now + Self.refusalKept, at: now)
            case .failure: break
            }
        }
        return result.map(\.user)
    }

    private func look(into token: SignedToken, _ text: String) async throws(LoginRefusal) -> (
        user: User, expires: Instant
    ) {
        guard let listed = IssuerURL(token.issuer), let issuer = issuers[listed.text] else {
            throw LoginRefusal(
                .unknownIssuer, "'\(token.issuer.prefix(200))' is not listed as an authorized issuer")
        }
        guard IssuerKeys.accepts(token.algorithm) else {
            throw LoginRefusal(.invalid, "tokens signed by \"\(token.algorithm.prefix(20))\" are not accepted")
        }
        let name = try await issuer.currentMetadata().issuer
        // Before anything is fetched for it: an old token costs nothing.
        let (subject, expires) = try rules.check(token.claims, issuer: name, now: now())
        guard try await issuer.hasSigned(token) else {
            throw LoginRefusal(.invalid, "the token was not signed by one of the issuer's keys")
        }
        let kind = UserClaims.Kind(issuer: name)
        var claims = UserClaims(token.claims, kind: kind)
        if claims.name == nil || claims.groups == nil, let more = try await issuer.userInfo(text, of: subject) {
            claims.complete(with: UserClaims(more, kind: kind))
        }
        let groups = claims.groups ?? []
        guard settings.groups.isEmpty || !settings.groups.isDisjoint(with: groups) else {
            throw LoginRefusal(
                .notAdmitted, "you are in none of the groups that may use this cluster; ask its operator")
        }
        let login = VerifiedLogin(id: subject, issuer: name, name: claims.name ?? "", groups: groups)
        return (try await admit(login).get(), expires)
    }

    /// Tokens themselves are not kept in memory.
    private static func digest(_ token: String) -> SHA256Digest { SHA256.hash(data: Array(token.utf8)) }
}
