import Crypto
package import Model

/// A signature of version 2 in a query (S3 user guide, "Signing and authenticating REST requests", "Query string
/// request authentication alternative"): still what boto3 makes of `generate_presigned_url` where it is not told
/// otherwise.
///
/// Accepted in queries only.
package struct LegacyPresignature: Sendable {
    /// The parameters that are signed (same place, "Constructing the CanonicalizedResource element").
    private static let signedParameters: Set<String> = [
        "accelerate", "acl", "analytics", "cors", "delete", "inventory", "lifecycle", "location", "logging", "metrics",
        "notification", "object-lock", "partNumber", "policy", "replication", "requestPayment",
        "response-cache-control", "response-content-disposition", "response-content-encoding",
        "response-content-language", "response-content-type", "response-expires", "restore", "select", "select-type",
        "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning", "versions", "website",
    ]

    /// Further sub-resources, which this version of signatures does not know: whoever has a link could add them to make
    /// another operation of it.
    private static let unknownParameters: Set<String> = [
        "append", "attributes", "encryption", "events", "intelligent-tiering", "legal-hold", "metadataTable",
        "ownershipControls", "policyStatus", "publicAccessBlock", "renameObject", "retention", "session",
    ]

    package let accessKey: String
    private let signature: String
    private let expires: Instant

    /// Reads the signature of a request; `nil` for one that has none of this kind.
    ///
    /// - Throws: `S3Error` with `accessDenied` for an incomplete one, `invalidArgument` where there is another
    ///   signature.
    package init?(of request: ReceivedRequest) throws(S3Error) {
        guard let accessKey = request.query["AWSAccessKeyId"] else {
            guard !request.query.contains("Signature") else { throw Self.incomplete }
            return nil
        }
        guard request.header("authorization") == nil, !request.query.contains("X-Amz-Signature") else {
            throw S3Error(.invalidArgument, "Only one way of authorization may be used.")
        }
        guard let signature = request.query["Signature"], let expires = request.query["Expires"].flatMap({ Int64($0) }),
            (0...9_000_000_000).contains(expires)
        else { throw Self.incomplete }
        guard !request.query.items.contains(where: { Self.unknownParameters.contains($0.name) }) else {
            throw S3Error(.accessDenied, "Signatures of version 2 do not cover this operation; use version 4.")
        }
        self.accessKey = accessKey
        self.signature = signature
        self.expires = Instant(seconds: expires)
    }

    private static var incomplete: S3Error {
        S3Error(
            .accessDenied, "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters."
        )
    }

    /// Verifies time and signature of the request that this was read from.
    ///
    /// - Throws: `S3Error` with `accessDenied` (expired), `signatureDoesNotMatch`.
    package func verify(_ request: ReceivedRequest, secretKey: String, now: Instant) throws(S3Error) {
        guard now <= expires else {
            throw S3Error(.accessDenied, "Request has expired.", details: [("Expires", expires.rfc3339())])
        }
        let text = stringToSign(of: request)
        let key = SymmetricKey(data: Array(secretKey.utf8))
        let code = Array(HMAC<Insecure.SHA1>.authenticationCode(for: Array(text.utf8), using: key))
        guard PresentedSignature.areEqual(Array(Base64.encode(code).utf8), Array(signature.utf8)) else {
            throw S3Error(
                .signatureDoesNotMatch,
                details: [("AWSAccessKeyId", accessKey), ("StringToSign", text), ("SignatureProvided", signature)]
            )
        }
    }

    private func stringToSign(of request: ReceivedRequest) -> String {
        let given = request.headers + request.headersInQuery
        let own = CanonicalRequest.normalised(given.filter { $0.name.hasPrefix("x-amz-") })
            .map { "\($0.name):\($0.value)\n" }.joined()
        let parameters = request.query.items.filter { Self.signedParameters.contains($0.name) }
            .sorted { $0.name < $1.name }
            .map { $0.value.isEmpty ? $0.name : "\($0.name)=\($0.value)" }
        // The bucket belongs to what is signed, wherever it stands.
        let path = request.virtualBucket.map { "/\($0)\(request.path)" } ?? request.path
        let resource = parameters.isEmpty ? path : "\(path)?\(parameters.joined(separator: "&"))"
        return """
            \(request.method)
            \(request.header("content-md5") ?? "")
            \(request.header("content-type") ?? "")
            \(expires.seconds)
            \(own)\(resource)
            """
    }
}
