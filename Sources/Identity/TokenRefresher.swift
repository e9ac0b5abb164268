import Crypto
package import Model
import Synchronization

/// Gets access tokens from refresh tokens (RFC 6749, section 6), for what goes on when their owner has left.
///
/// An access token is kept until 60 seconds before it expires. Those who need the same one at the same time share the exchange.
package final class TokenRefresher: Sendable {
    private static let margin = Duration.seconds(60)
    /// For how long a token is taken to be good whose provider does not say.
    private static let assumed = Duration.seconds(120)

    private typealias Exchange = Task<Result<String, LoginRefusal>, Never>

    private struct State {
        var known = ShortMemory<SHA256Digest, String>(most: 1_000)
        var underWay: [SHA256Digest: Exchange] = [:]
    }

    private let issuers: [Issuer]
    private let exchange: ProviderExchange
    private let clientID: String
    private let now: @Sendable () -> Instant
    private let state = Mutex(State())

    /// - Parameters:
    ///   - issuers: those whose refresh tokens there may be; a token that names none of them is the first one's.
    ///   - clientID: whose tokens they are.
    package init(
        issuers: [IssuerURL],
        clientID: String,
        exchange: ProviderExchange,
        now: @escaping @Sendable () -> Instant
    ) {
        self.issuers = issuers.map { Issuer($0, exchange: exchange, now: now) }
        (self.clientID, self.exchange, self.now) = (clientID, exchange, now)
    }

    /// An access token that is good for at least a minute.
    ///
    /// - Throws: `LoginRefusal` with `invalid` where the provider does not take the refresh token, `unavailable`,
    ///   `unknownIssuer`.
    package func accessToken(for refreshToken: String) async throws(LoginRefusal) -> String {
        let digest = SHA256.hash(data: Array(refreshToken.utf8))
        let now = now()
        enum Found { case token(String), work(Exchange) }
        let found: Found = state.withLock { state in
            if let token = state.known.value(of: digest, at: now) { return .token(token) }
            if let work = state.underWay[digest] { return .work(work) }
            // All who wait for it await it; it ends by itself, by the deadline of the exchange.
            let work = Task { await self.settle(refreshToken, digest) }
            state.underWay[digest] = work
            return .work(work)
        }
        switch found {
        case .token(let token): return token
        case .work(let work): return try await work.value.get()
        }
    }

    private func settle(_ refreshToken: String, _ digest: SHA256Digest) async -> Result<String, LoginRefusal> {
        let result: Result<(token: String, until: Instant), LoginRefusal>
        do throws(LoginRefusal) { result = .success(try await refresh(refreshToken)) } catch {
            result = .failure(error)
        }
        let now = now()
        state.withLock { state in
            state.underWay[digest] = nil
            if case .success(let good) = result {
                state.known.keep(good.token, for: digest, until: good.until, at: now)
            }
        }
        return result.map(\.token)
    }

    private func refresh(_ refreshToken: String) async throws(LoginRefusal) -> (token: String, until: Instant) {
        let asked = now()
        let issuer = try issuer(of: refreshToken)
        guard let place = try await issuer.currentMetadata().token else {
            throw LoginRefusal(.unavailable, "the identity provider \(issuer.url) has no token endpoint")
        }
        let answer = try await exchange.post(
            place,
            form: [
                ("grant_type", "refresh_token"), ("refresh_token", refreshToken), ("client_id", clientID),
            ])
        if answer.status == 200, let token = answer.document?["access_token"]?.stringValue, !token.isEmpty {
            let seconds = answer.document?["expires_in"]?.integerValue.map { Duration.seconds(min(max(0, $0), 86_400)) }
            return (token, asked + ((seconds ?? Self.assumed) - Self.margin))
        }
        guard (400..<500).contains(answer.status), answer.status != 429 else {
            throw LoginRefusal(
                .unavailable, "the identity provider answers \(answer.status) at \(place)", retryAfter: .seconds(5))
        }
        let words = answer.document?["error_description"]?.stringValue ?? answer.document?["error"]?.stringValue
        throw LoginRefusal(
            .invalid, "the identity provider does not take the refresh token: \((words ?? "no reason").prefix(200))")
    }

    /// Refresh tokens of many providers are signed tokens that say whose they are; others say nothing.
    private func issuer(of refreshToken: String) throws(LoginRefusal) -> Issuer {
        guard let first = issuers.first else {
            throw LoginRefusal(.unknownIssuer, "there is no identity provider: set --oidc-issuers")
        }
        guard let token = try? SignedToken(refreshToken), !token.issuer.isEmpty else { return first }
        guard let url = IssuerURL(token.issuer), let known = issuers.first(where: { $0.url == url }) else {
            throw LoginRefusal(.unknownIssuer, "'\(token.issuer.prefix(200))' is not listed as an authorized issuer")
        }
        return known
    }
}
