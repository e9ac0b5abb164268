import Identity
import Model
import S3Wire
import Synchronization

/// Finds out who makes a request.
struct S3Authentication: Sendable {
    /// Who it is, and what proves it.
    struct Proof: Sendable {
        let principal: Principal
        let method: AuthenticationMethod
        /// What the signature covers of the body.
        let payload: PayloadHash
        /// The start of the chain that signed chunks continue.
        let signatures: ChunkSignatures?
    }

    private final class Keys: Sendable {
        let cache = Mutex(SigningKeyCache())
    }

    private let secret: @Sendable (String) -> (secret: String, principal: Principal)?
    let now: @Sendable () -> Instant
    private let logins: LoginGuard?
    private let keys = Keys()

    init(
        secret: @escaping @Sendable (String) -> (secret: String, principal: Principal)?,
        logins: LoginGuard? = nil,
        now: @escaping @Sendable () -> Instant
    ) {
        self.secret = secret
        self.logins = logins
        self.now = now
    }

    /// A request with anything of a signature is whose it says or is refused; one without is nobody's.
    ///
    /// - Parameters:
    ///   - address: where it comes from.
    ///   - countsFailures: false for whoever lets others ask again where this is refused.
    /// - Throws: `S3Error` with `invalidAccessKeyId`, `slowDown`, and as `PresentedSignature` and `LegacyPresignature` throw.
    func authenticate(
        _ request: ReceivedRequest,
        from address: String,
        countsFailures: Bool = true
    ) throws(S3Error) -> Proof {
        if let presented = try LegacyPresignature(of: request) {
            return try counted(presented.accessKey, address, countsFailures) { () throws(S3Error) in
                try legacyProof(presented, of: request)
            }
        }
        if let presented = try PresentedSignature(of: request) {
            return try counted(presented.accessKey, address, countsFailures) { () throws(S3Error) in
                try proof(presented, of: request)
            }
        }
        return try anonymousProof(of: request)
    }

    /// Who signed a form.
    ///
    /// - Throws: `S3Error` with `invalidAccessKeyId`, `signatureDoesNotMatch`, `slowDown`.
    func authenticate(_ form: PostSignature, from address: String) throws(S3Error) -> Principal {
        try counted(form.accessKey, address, true) { () throws(S3Error) in
            let (secret, principal) = try known(form.accessKey)
            try form.verify(secretKey: secret) { scope in
                keys.cache.withLock { $0.key(accessKey: form.accessKey, secretKey: secret, scope: scope) }
            }
            return principal
        }
    }

    /// Lets the work find out who signed, unless too many have failed; a wrong key or signature is one more.
    private func counted<T>(
        _ accessKey: String,
        _ address: String,
        _ countsFailures: Bool,
        _ work: () throws(S3Error) -> T
    ) throws(S3Error) -> T {
        guard let logins else { return try work() }
        // The signature differs each time; that it was good proves that whoever is there has the secret.
        if let wait = logins.wait(address: address, name: accessKey, proof: "") {
            let seconds = max(1, wait.components.seconds + 1)
            throw S3Error(
                .slowDown, "Too many requests with wrong keys; try again in \(seconds) s.",
                headers: [("retry-after", "\(seconds)")])
        }
        do throws(S3Error) {
            let result = try work()
            logins.succeeded(address: address, name: accessKey, proof: "")
            return result
        } catch {
            if countsFailures, error.code == .invalidAccessKeyId || error.code == .signatureDoesNotMatch {
                logins.failed(address: address, name: accessKey, proof: "")
            }
            throw error
        }
    }

    /// Nobody can sign chunks with nobody's key.
    private func anonymousProof(of request: ReceivedRequest) throws(S3Error) -> Proof {
        let stated = request.header("x-amz-content-sha256").map(PayloadHash.init(header:)) ?? .unsigned
        switch stated {
        case nil: throw S3Error(.invalidArgument, "x-amz-content-sha256 is not valid.")
        case .signedChunks?, .signedChunksWithTrailer?: throw S3Error(.accessDenied)
        case let payload?: return Proof(principal: .anonymous, method: .none, payload: payload, signatures: nil)
        }
    }

    private func legacyProof(
        _ presented: LegacyPresignature,
        of request: ReceivedRequest
    ) throws(S3Error) -> Proof {
        let (secret, principal) = try known(presented.accessKey)
        try presented.verify(request, secretKey: secret, now: now())
        return Proof(principal: principal, method: .legacyQuery, payload: .unsigned, signatures: nil)
    }

    private func proof(_ presented: PresentedSignature, of request: ReceivedRequest) throws(S3Error) -> Proof {
        let (secret, principal) = try known(presented.accessKey)
        let key = keys.cache.withLock {
            $0.key(accessKey: presented.accessKey, secretKey: secret, scope: presented.scope)
        }
        let signatures = try presented.verify(request, key: key, now: now())
        let method: AuthenticationMethod = presented.isPresigned ? .query : .header
        return Proof(principal: principal, method: method, payload: presented.payload, signatures: signatures)
    }

    private func known(_ accessKey: String) throws(S3Error) -> (secret: String, principal: Principal) {
        guard let known = secret(accessKey) else {
            throw S3Error(.invalidAccessKeyId, details: [("AWSAccessKeyId", accessKey)])
        }
        return known
    }
}
