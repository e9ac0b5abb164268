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
    private let keys = Keys()

    init(
        secret: @escaping @Sendable (String) -> (secret: String, principal: Principal)?,
        now: @escaping @Sendable () -> Instant
    ) {
        self.secret = secret
        self.now = now
    }

    /// A request with anything of a signature is whose it says or is refused; one without is nobody's.
    ///
    /// - Throws: `S3Error` with `invalidAccessKeyId`, and as `PresentedSignature` and `LegacyPresignature` throw.
    func authenticate(_ request: ReceivedRequest) throws(S3Error) -> Proof {
        if let proof = try legacyProof(of: request) { return proof }
        if let proof = try proof(of: request) { return proof }
        return try anonymousProof(of: request)
    }

    /// Who signed a form.
    ///
    /// - Throws: `S3Error` with `invalidAccessKeyId`, `signatureDoesNotMatch`.
    func authenticate(_ form: PostSignature) throws(S3Error) -> Principal {
        let (secret, principal) = try known(form.accessKey)
        try form.verify(secretKey: secret) { scope in
            keys.cache.withLock { $0.key(accessKey: form.accessKey, secretKey: secret, scope: scope) }
        }
        return principal
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

    private func legacyProof(of request: ReceivedRequest) throws(S3Error) -> Proof? {
        guard let presented = try LegacyPresignature(of: request) else { return nil }
        let (secret, principal) = try known(presented.accessKey)
        try presented.verify(request, secretKey: secret, now: now())
        return Proof(principal: principal, method: .legacyQuery, payload: .unsigned, signatures: nil)
    }

    private func proof(of request: ReceivedRequest) throws(S3Error) -> Proof? {
        guard let presented = try PresentedSignature(of: request) else { return nil }
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
