import Model
import S3Wire
import Synchronization

/// Finds out who makes a request.
struct S3Authentication: Sendable {
    /// Who it is, and what proves it.
    struct Proof: Sendable {
        let principal: Principal
        /// What the signature covers of the body.
        let payload: PayloadHash
        /// The start of the chain that signed chunks continue.
        let signatures: ChunkSignatures?
    }

    private final class Keys: Sendable {
        let cache = Mutex(SigningKeyCache())
    }

    private let secret: @Sendable (String) -> (secret: String, principal: Principal)?
    private let now: @Sendable () -> Instant
    private let keys = Keys()

    init(
        secret: @escaping @Sendable (String) -> (secret: String, principal: Principal)?,
        now: @escaping @Sendable () -> Instant
    ) {
        self.secret = secret
        self.now = now
    }

    /// - Throws: `S3Error` with `accessDenied` where there is no signature, `invalidAccessKeyId`, and as
    ///   `PresentedSignature` and `LegacyPresignature` throw.
    func authenticate(_ request: ReceivedRequest) throws(S3Error) -> Proof {
        let legacy = try legacyProof(of: request)
        let proof = if let legacy { legacy } else { try proof(of: request) }
        guard case .administrator = proof.principal else { throw S3Error(.accessDenied) }
        return proof
    }

    private func legacyProof(of request: ReceivedRequest) throws(S3Error) -> Proof? {
        guard let presented = try LegacyPresignature(of: request) else { return nil }
        let (secret, principal) = try known(presented.accessKey)
        try presented.verify(request, secretKey: secret, now: now())
        return Proof(principal: principal, payload: .unsigned, signatures: nil)
    }

    private func proof(of request: ReceivedRequest) throws(S3Error) -> Proof {
        guard let presented = try PresentedSignature(of: request) else {
            throw S3Error(.accessDenied, "Access Denied. Sign the request with an access key of this cluster.")
        }
        let (secret, principal) = try known(presented.accessKey)
        let key = keys.cache.withLock {
            $0.key(accessKey: presented.accessKey, secretKey: secret, scope: presented.scope)
        }
        let signatures = try presented.verify(request, key: key, now: now())
        return Proof(principal: principal, payload: presented.payload, signatures: signatures)
    }

    private func known(_ accessKey: String) throws(S3Error) -> (secret: String, principal: Principal) {
        guard let known = secret(accessKey) else {
            throw S3Error(.invalidAccessKeyId, details: [("AWSAccessKeyId", accessKey)])
        }
        return known
    }
}
