package import Model

extension PresentedSignature {
    /// Verifies time and signature of the request that this was read from.
    ///
    /// - Parameter key: made of the secret that belongs to `accessKey`, for `scope`.
    /// - Returns: the start of the chain that signed chunks continue.
    /// - Throws: `S3Error` with `requestTimeTooSkewed`, `accessDenied` (expired, or not valid yet),
    ///   `authorizationHeaderMalformed` (another day's scope), `signatureDoesNotMatch`.
    package func verify(_ request: ReceivedRequest, key: SigningKey, now: Instant) throws(S3Error) -> ChunkSignatures {
        try checkTime(now: now)
        let candidates = canonicalPaths(of: request).map { canonicalRequest(of: request, path: $0) }
        let expected = Array(signature.lowercased().utf8)
        for candidate in candidates {
            let stringToSign = candidate.stringToSign(signingTime: signingTime, scope: scope)
            let actual = Hexadecimal.text(key.signature(of: stringToSign))
            if Self.areEqual(Array(actual.utf8), expected) {
                return ChunkSignatures(seed: actual, key: key, signingTime: signingTime)
            }
        }
        throw mismatch(candidates.first)
    }

    private func checkTime(now: Instant) throws(S3Error) {
        guard let time = Instant(signingTime: signingTime) else { throw S3Error(.accessDenied) }
        guard signingTime.hasPrefix(scope.date), scope.date.utf8.count == 8 else {
            let code: S3ErrorCode = isPresigned ? .authorizationQueryParametersError : .authorizationHeaderMalformed
            throw S3Error(code, "The date in the credential does not match the date of the request.")
        }
        if let expiry {
            guard time - now <= Self.maximumClockSkew else {
                throw S3Error(.accessDenied, "Request is not valid yet.")
            }
            guard now - time <= .seconds(expiry) else {
                let end = time + .seconds(expiry)
                throw S3Error(.accessDenied, "Request has expired.", details: [("Expires", end.rfc3339())])
            }
        } else {
            guard time - now <= Self.maximumClockSkew, now - time <= Self.maximumClockSkew else {
                throw S3Error(
                    .requestTimeTooSkewed,
                    details: [("RequestTime", signingTime), ("ServerTime", now.rfc3339())]
                )
            }
        }
    }

    /// The path encoded as the rules say, and as it came: some clients sign what they send even where they encode
    /// less or more than they should.
    ///
    /// Both name the same object, so that either proves the same.
    private func canonicalPaths(of request: ReceivedRequest) -> [String] {
        guard !PercentEncoding.isPlain(path: request.path), let decoded = PercentEncoding.decoded(request.path) else {
            return [request.path]
        }
        let encoded = PercentEncoding.encoded(decoded, keepingSlashes: true)
        return encoded == request.path ? [encoded] : [encoded, request.path]
    }

    private func canonicalRequest(of request: ReceivedRequest, path: String) -> CanonicalRequest {
        let names = HeaderNames(signedHeaders)
        var query = request.query
        if isPresigned { query.items.removeAll { $0.name == "X-Amz-Signature" } }
        return CanonicalRequest(
            method: request.method,
            path: path,
            query: query.canonicalText,
            headers: CanonicalRequest.normalised(request.headers.filter { names.contains($0.name) }),
            payload: payload.header
        )
    }

    private func mismatch(_ canonical: CanonicalRequest?) -> S3Error {
        var details = [(name: "AWSAccessKeyId", value: accessKey), (name: "SignatureProvided", value: signature)]
        if let canonical {
            let stringToSign = canonical.stringToSign(signingTime: signingTime, scope: scope)
            details += [(name: "StringToSign", value: stringToSign), (name: "CanonicalRequest", value: canonical.text)]
        }
        return S3Error(.signatureDoesNotMatch, details: details)
    }

    /// Compares in a time that depends on the lengths only.
    static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        return zip(left, right).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
