package import Model

/// A request that is to be signed.
package struct SignableRequest: Sendable {
    /// `GET`, `PUT` and so on.
    package var method: String
    /// As sent in the `Host` header: with the port, unless it is the scheme's own.
    package var host: String
    /// Percent-encoded, as sent, beginning with a slash.
    ///
    /// `S3Path` makes it of a bucket and key.
    package var path: String
    /// Not encoded.
    ///
    /// Send its `canonicalText`.
    package var query: QueryItems
    /// The further headers to sign; without `Host`, and without those that the signer adds.
    package var headers: [(name: String, value: String)]

    package init(
        method: String,
        host: String,
        path: String,
        query: QueryItems = QueryItems(),
        headers: [(name: String, value: String)] = []
    ) {
        self.method = method
        self.host = host
        self.path = path
        self.query = query
        self.headers = headers
    }
}

/// What the signer made of a request.
package struct RequestSignature: Sendable {
    /// To be added to the request: `Authorization`, `x-amz-date`, `x-amz-content-sha256`, and for temporary
    /// credentials `x-amz-security-token`.
    package let headers: [(name: String, value: String)]
    /// 64 hexadecimal digits; the first link of the chain that signed chunks make.
    package let signature: String
    /// Signs the chunks of a body that is sent in signed chunks.
    package let key: SigningKey
    /// In the form of `x-amz-date`.
    package let signingTime: String
}

/// Signs requests with Signature Version 4.
package struct RequestSigner: Sendable {
    package let credentials: S3Credentials
    package let region: String

    package init(credentials: S3Credentials, region: String = "us-east-1") {
        self.credentials = credentials
        self.region = region
    }

    /// Signs a request in its headers.
    package func sign(_ request: SignableRequest, payload: PayloadHash, at now: Instant) -> RequestSignature {
        let signingTime = now.signingTime
        let scope = CredentialScope(date: String(signingTime.prefix(8)), region: region)
        var added = [(name: "x-amz-content-sha256", value: payload.header), (name: "x-amz-date", value: signingTime)]
        if let token = credentials.sessionToken { added.append((name: "x-amz-security-token", value: token)) }
        let canonical = CanonicalRequest(
            method: request.method,
            path: request.path,
            query: request.query.canonicalText,
            headers: CanonicalRequest.normalised(request.headers + added + [(name: "host", value: request.host)]),
            payload: payload.header
        )
        let key = SigningKey(secretKey: credentials.secretKey, scope: scope)
        let stringToSign = canonical.stringToSign(signingTime: signingTime, scope: scope)
        let signature = Hexadecimal.text(key.signature(of: stringToSign))
        let authorization =
            "\(CanonicalRequest.algorithm) Credential=\(credentials.accessKey)/\(scope.text),"
            + "SignedHeaders=\(canonical.signedHeaders),Signature=\(signature)"
        added.append((name: "Authorization", value: authorization))
        return RequestSignature(headers: added, signature: signature, key: key, signingTime: signingTime)
    }

    /// Signs a request in its query, for someone else to send.
    ///
    /// - Parameters:
    ///   - request: with the headers that the sender has to send as they are here, usually none.
    ///   - expiry: for how many seconds the request is valid, 1 to 604,800.
    /// - Returns: the whole query, encoded, to stand after the question mark.
    package func presign(_ request: SignableRequest, expiry: Int, at now: Instant) -> String {
        let signingTime = now.signingTime
        let scope = CredentialScope(date: String(signingTime.prefix(8)), region: region)
        let headers = CanonicalRequest.normalised(request.headers + [(name: "host", value: request.host)])
        var query = request.query
        query.items += [
            .init("X-Amz-Algorithm", CanonicalRequest.algorithm),
            .init("X-Amz-Credential", "\(credentials.accessKey)/\(scope.text)"),
            .init("X-Amz-Date", signingTime),
            .init("X-Amz-Expires", String(expiry)),
            .init("X-Amz-SignedHeaders", headers.map(\.name).joined(separator: ";")),
        ]
        if let token = credentials.sessionToken { query.items.append(.init("X-Amz-Security-Token", token)) }
        let canonical = CanonicalRequest(
            method: request.method,
            path: request.path,
            query: query.canonicalText,
            headers: headers,
            payload: PayloadHash.unsigned.header
        )
        let key = SigningKey(secretKey: credentials.secretKey, scope: scope)
        let signature = key.signature(of: canonical.stringToSign(signingTime: signingTime, scope: scope))
        return "\(query.canonicalText)&X-Amz-Signature=\(Hexadecimal.text(signature))"
    }
}
