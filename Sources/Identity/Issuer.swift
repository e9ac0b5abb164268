import Model

/// One identity provider: what it says about itself (OpenID Connect Discovery 1.0), its keys, and what it says of users.
///
/// Everything is fetched when it is first needed, and kept. Those who need the same thing at the same time wait for one
/// exchange.
actor Issuer {
    /// After so long keys are fetched again; should that fail, the old ones hold on.
    private static let keyAge = Duration.seconds(3600)
    /// After a failure nobody is asked for so long.
    private static let rest = Duration.seconds(5)

    /// What a provider says about itself.
    struct Metadata: Sendable {
        /// As tokens must say it.
        let issuer: String
        let keys: String
        let userInfo: String?
        let token: String?
    }

    let url: IssuerURL
    private let exchange: ProviderExchange
    private let now: @Sendable () -> Instant
    private var metadata: Metadata?
    private var keys: (set: IssuerKeys, fetched: Instant)?
    private var fetch: Task<Result<IssuerKeys, LoginRefusal>, Never>?
    private var discovery: Task<Result<Metadata, LoginRefusal>, Never>?
    private var failure: (refusal: LoginRefusal, until: Instant)?
    /// How often keys may be fetched for tokens that name unknown ones: five times, and once more each ten seconds.
    private var refetches: RefillingCount

    init(_ url: IssuerURL, exchange: ProviderExchange, now: @escaping @Sendable () -> Instant) {
        (self.url, self.exchange, self.now) = (url, exchange, now)
        refetches = RefillingCount(most: 5, refill: .seconds(10), now: now())
    }

    /// What the provider says about itself.
    ///
    /// - Throws: `LoginRefusal` with `unavailable`.
    func currentMetadata() async throws(LoginRefusal) -> Metadata {
        if let metadata { return metadata }
        try checkRest()
        let task: Task<Result<Metadata, LoginRefusal>, Never>
        if let discovery {
            task = discovery
        } else {
            // Whoever comes while it goes on awaits it; it ends by itself, by the exchange's deadline.
            task = Task { await self.discover() }
            discovery = task
        }
        return try await task.value.get()
    }

    /// Whether one of the provider's keys has signed the token; keys are fetched again for one that names an unknown key.
    ///
    /// - Throws: `LoginRefusal` with `unavailable`.
    func hasSigned(_ token: SignedToken) async throws(LoginRefusal) -> Bool {
        var set = try await currentKeys()
        if !set.has(keyFor: token) {
            guard refetches.take(at: now()) else {
                throw LoginRefusal(
                    .unavailable,
                    "the key that signed the token is not known, and keys were fetched often enough just now",
                    retryAfter: .seconds(10))
            }
            set = try await fetchedKeys()
        }
        return await set.verify(token)
    }

    /// What the provider says of whoever has the token (OpenID Connect Core 1.0, section 5.3); `nil` where it does not say.
    ///
    /// - Throws: `LoginRefusal` with `invalid` where the token is good no more, `unavailable`.
    func userInfo(_ token: String, of subject: UserID) async throws(LoginRefusal) -> JSONValue? {
        guard let url = try await currentMetadata().userInfo else { return nil }
        try checkRest()
        let answer: ProviderExchange.Answer
        do { answer = try await exchange.get(url, bearer: token) } catch { throw rested(error) }
        switch answer.status {
        case 200:
            guard let document = answer.document, document.objectValue != nil else { return nil }
            // What is said of somebody else is not believed (OpenID Connect Core 1.0, section 5.3.2).
            guard document["sub"]?.stringValue == subject.text else {
                throw LoginRefusal(.invalid, "the identity provider says that the token is somebody else's")
            }
            return document
        case 401: throw LoginRefusal(.invalid, "the identity provider does not accept the token any more")
        // The token may not ask that (RFC 6750, section 3.1), or nobody may.
        case 403, 404, 405: return nil
        default:
            // No rest: one token's trouble is not that of all.
            throw LoginRefusal(
                .unavailable, "the identity provider answers \(answer.status) at \(url)", retryAfter: Self.rest)
        }
    }

    // MARK: Fetching

    private func currentKeys() async throws(LoginRefusal) -> IssuerKeys {
        guard let keys else { return try await fetchedKeys() }
        guard now() - keys.fetched >= Self.keyAge else { return keys.set }
        do { return try await fetchedKeys() } catch { return keys.set }
    }

    private func fetchedKeys() async throws(LoginRefusal) -> IssuerKeys {
        try checkRest()
        let task: Task<Result<IssuerKeys, LoginRefusal>, Never>
        if let fetch {
            task = fetch
        } else {
            // Whoever comes while it goes on awaits it; it ends by itself, by the exchange's deadline.
            task = Task { await self.fetchKeys() }
            fetch = task
        }
        return try await task.value.get()
    }

    private func fetchKeys() async -> Result<IssuerKeys, LoginRefusal> {
        defer { fetch = nil }
        do throws(LoginRefusal) {
            let place = try await currentMetadata().keys
            let answer = try await exchange.get(place)
            let set = answer.document.map { IssuerKeys($0) }
            guard answer.status == 200, let set, !set.isEmpty else {
                throw LoginRefusal(
                    .unavailable, "the identity provider has no usable keys at \(place) (status \(answer.status))",
                    retryAfter: Self.rest)
            }
            keys = (set, now())
            return .success(set)
        } catch {
            return .failure(rested(error))
        }
    }

    private func discover() async -> Result<Metadata, LoginRefusal> {
        defer { discovery = nil }
        do throws(LoginRefusal) {
            let place = "\(url)/.well-known/openid-configuration"
            let answer = try await exchange.get(place)
            guard answer.status == 200, let document = answer.document, let keys = document["jwks_uri"]?.stringValue
            else {
                throw LoginRefusal(
                    .unavailable, "there is no OpenID configuration at \(place) (status \(answer.status))",
                    retryAfter: Self.rest)
            }
            // Must be the same (OpenID Connect Discovery 1.0, section 4.3), but for a slash that people leave out.
            guard let issuer = document["issuer"]?.stringValue, IssuerURL(issuer) == url else {
                throw LoginRefusal(
                    .unavailable, "\(place) is the configuration of another issuer", retryAfter: Self.rest)
            }
            let found = Metadata(
                issuer: issuer, keys: keys, userInfo: document["userinfo_endpoint"]?.stringValue,
                token: document["token_endpoint"]?.stringValue)
            metadata = found
            return .success(found)
        } catch {
            return .failure(rested(error))
        }
    }

    // MARK: Failures

    private func checkRest() throws(LoginRefusal) {
        guard let failure else { return }
        guard now() < failure.until else {
            self.failure = nil
            return
        }
        throw failure.refusal
    }

    private func rested(_ refusal: LoginRefusal) -> LoginRefusal {
        if refusal.code == .unavailable { failure = (refusal, now() + Self.rest) }
        return refusal
    }
}
