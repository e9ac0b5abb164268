import Model

/// The signature that came with a request, in its headers or in its query; read, but not yet verified.
package struct PresentedSignature: Sendable {
    /// How far a client's clock may be off.
    package static let maximumClockSkew = Duration.seconds(15 * 60)
    /// The longest time for which a presigned request can be valid, in seconds: seven days.
    package static let maximumExpiry = 604_800

    package let accessKey: String
    package let scope: CredentialScope
    /// Lower-case names.
    package let signedHeaders: [String]
    /// 64 hexadecimal digits, as they came.
    package let signature: String
    /// As it came, in the form of `x-amz-date`.
    package let signingTime: String
    /// For how many seconds after the signing time the request is valid; `nil` for a signature in the headers.
    package let expiry: Int?
    /// What the signature covers of the body.
    package let payload: PayloadHash

    /// What makes a query a signed one: with any of these it is verified, or refused where it is not whole, and never
    /// taken for the request of somebody unknown.
    private static let queryMarks: Set<String> = [
        "x-amz-algorithm", "x-amz-credential", "x-amz-expires", "x-amz-signature", "x-amz-signedheaders",
    ]

    /// Whether the signature stands in the query.
    package var isPresigned: Bool { expiry != nil }

    /// Reads the signature of a request; `nil` for one that has none.
    ///
    /// - Throws: `S3Error` with `authorizationHeaderMalformed`, `authorizationQueryParametersError`, `invalidRequest`
    ///   (another kind of authorization, or a header missing), `invalidArgument` (two signatures), `accessDenied`
    ///   (headers that must be signed and are not).
    package init?(of request: ReceivedRequest) throws(S3Error) {
        let authorization = request.header("authorization")
        let isPresigned = request.query.items.contains { Self.queryMarks.contains($0.name.lowercasedIfNeeded()) }
        switch (authorization, isPresigned) {
        case (nil, false):
            guard !request.query.contains("AWSAccessKeyId") else { throw Self.unsupportedMechanism }
            return nil
        case (_?, true): throw S3Error(.invalidArgument, "Only one way of authorization may be used.")
        case (let header?, false): try self.init(header: header, of: request)
        case (nil, true): try self.init(queryOf: request)
        }
        try checkSignedHeaders(of: request)
    }

    private init(header: String, of request: ReceivedRequest) throws(S3Error) {
        let prefix = Self.authorizationPrefix
        guard header.hasPrefix(prefix) else { throw Self.unsupportedMechanism }
        let fields = Self.fields(Substring(header.utf8.dropFirst(prefix.utf8.count)))
        guard let credential = fields.credential, let names = fields.signedHeaders, let signature = fields.signature
        else { throw S3Error(.authorizationHeaderMalformed) }
        (accessKey, scope) = try Self.credential(credential, orThrow: .authorizationHeaderMalformed)
        payload = try Self.payload(ofHeadersOf: request)
        signedHeaders = Self.names(names)
        self.signature = String(signature)
        expiry = nil
        signingTime = try Self.signingTime(ofHeadersOf: request)
    }

    /// Takes `name=value, name=value` apart.
    ///
    /// Works on bytes: this stands in the way of every request.
    private static func fields(
        _ text: Substring
    ) -> (credential: Substring?, signedHeaders: Substring?, signature: Substring?) {
        var credential: Substring?
        var signedHeaders: Substring?
        var signature: Substring?
        for field in text.utf8.split(separator: UInt8(ascii: ",")) {
            let trimmed = field.drop { $0 == UInt8(ascii: " ") }
            let name = trimmed.prefix { $0 != UInt8(ascii: "=") }
            var value = trimmed.dropFirst(name.count + 1)
            while value.last == UInt8(ascii: " ") { value.removeLast() }
            switch Substring(name) {
            case "Credential": credential = Substring(value)
            case "SignedHeaders": signedHeaders = Substring(value)
            case "Signature": signature = Substring(value)
            default: break
            }
        }
        return (credential, signedHeaders, signature)
    }

    private static func names(_ text: some StringProtocol) -> [String] {
        Substring(text).utf8.split(separator: UInt8(ascii: ";")).map { String(Substring($0)).lowercasedIfNeeded() }
    }

    private init(queryOf request: ReceivedRequest) throws(S3Error) {
        let query = request.query
        func invalid(_ message: String) -> S3Error { S3Error(.authorizationQueryParametersError, message) }
        guard query["X-Amz-Algorithm"] == CanonicalRequest.algorithm else {
            throw invalid("X-Amz-Algorithm only supports \"\(CanonicalRequest.algorithm)\".")
        }
        guard let credential = query["X-Amz-Credential"], let names = query["X-Amz-SignedHeaders"],
            let signature = query["X-Amz-Signature"], let date = query["X-Amz-Date"],
            let expiryText = query["X-Amz-Expires"]
        else {
            throw invalid(
                "Query-string authentication requires X-Amz-Algorithm, X-Amz-Credential, X-Amz-Date, X-Amz-Expires, "
                    + "X-Amz-SignedHeaders and X-Amz-Signature."
            )
        }
        guard Instant(signingTime: date) != nil else {
            throw invalid("X-Amz-Date must be in the form YYYYMMDDTHHMMSSZ.")
        }
        guard let expiry = Int(expiryText), (1...Self.maximumExpiry).contains(expiry) else {
            throw invalid("X-Amz-Expires must be a number of seconds from 1 to \(Self.maximumExpiry).")
        }
        (accessKey, scope) = try Self.credential(credential[...], orThrow: .authorizationQueryParametersError)
        signedHeaders = Self.names(names)
        self.signature = signature
        self.expiry = expiry
        signingTime = date
        let stated = query["X-Amz-Content-Sha256"] ?? request.header("x-amz-content-sha256")
        guard let payload = stated.map(PayloadHash.init(header:)) ?? .unsigned else {
            throw S3Error(.invalidArgument, "x-amz-content-sha256 is not valid.")
        }
        self.payload = payload
    }

    /// Takes `accessKey/date/region/service/aws4_request` apart; the access key itself may contain slashes.
    static func credential(
        _ text: Substring,
        orThrow code: S3ErrorCode
    ) throws(S3Error) -> (String, CredentialScope) {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map {
            Substring($0)
        }
        guard parts.count >= 5, parts[parts.count - 1] == "aws4_request" else {
            throw S3Error(code, "The credential must be of the form ACCESSKEY/YYYYMMDD/REGION/s3/aws4_request.")
        }
        guard parts[parts.count - 2] == "s3" else {
            throw S3Error(code, "The credential must be for the service \"s3\".")
        }
        let scope = CredentialScope(date: String(parts[parts.count - 4]), region: String(parts[parts.count - 3]))
        return (parts.count == 5 ? String(parts[0]) : parts.dropLast(4).joined(separator: "/"), scope)
    }

    /// Generic signers leave `x-amz-content-sha256` out; without a body there is no doubt what it would say.
    private static func payload(ofHeadersOf request: ReceivedRequest) throws(S3Error) -> PayloadHash {
        guard let text = request.header("x-amz-content-sha256") else {
            let hasBody = (request.header("content-length") ?? "0") != "0" || request.header("transfer-encoding") != nil
            guard hasBody else { return .empty }
            throw S3Error(.invalidRequest, "Missing required header for this request: x-amz-content-sha256")
        }
        guard let payload = PayloadHash(header: text) else {
            throw S3Error(
                .invalidArgument,
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a STREAMING form of AWS4-HMAC-SHA256, or a SHA-256 value."
            )
        }
        return payload
    }

    /// The signing time of a request signed in its headers: `x-amz-date`, or else `Date`.
    private static func signingTime(ofHeadersOf request: ReceivedRequest) throws(S3Error) -> String {
        if let text = request.header("x-amz-date") {
            if Instant(signingTime: text) != nil { return text }
        } else if let text = request.header("date") {
            if Instant(signingTime: text) != nil { return text }
            if let instant = HTTPDate.parse(text) { return instant.signingTime }
        }
        throw S3Error(.accessDenied, "The request must be signed with a valid x-amz-date or Date header.")
    }

    /// `Host` and all headers of Amazon's must be signed, or they could be changed on the way.
    private func checkSignedHeaders(of request: ReceivedRequest) throws(S3Error) {
        let signed = HeaderNames(signedHeaders)
        let unsigned = request.headers.first { name, _ in
            guard name == "host" || name.hasPrefix("x-amz-"), !signed.contains(name) else { return false }
            return !(isPresigned && name == "x-amz-content-sha256")
        }
        guard let unsigned = signed.contains("host") ? unsigned?.name : "host" else { return }
        throw S3Error(
            .accessDenied,
            "There were headers present in the request which were not signed.",
            details: [("HeadersNotSigned", unsigned)]
        )
    }

    private static let authorizationPrefix = "\(CanonicalRequest.algorithm) "

    private static var unsupportedMechanism: S3Error {
        S3Error(
            .invalidRequest,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        )
    }
}

/// Names of headers to look up: a handful faster than in a set, and very many not slower.
struct HeaderNames {
    private let few: [String]
    private let many: Set<String>

    init(_ names: [String]) {
        let areFew = names.count <= 16
        few = areFew ? names : []
        many = areFew ? [] : Set(names)
    }

    func contains(_ name: String) -> Bool { many.isEmpty ? few.contains(name) : many.contains(name) }
}
