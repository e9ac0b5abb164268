import Crypto
import Model

/// The signature of a form: over the text of its policy and nothing else (S3 API reference, "Authenticating requests:
/// browser-based uploads using POST").
package struct PostSignature: Sendable {
    private enum Form: Sendable {
        case version4(CredentialScope)
        /// What boto3 makes of `generate_presigned_post` where it is not told otherwise.
        case version2
    }

    package let accessKey: String
    /// The text that is signed: the policy in base64, as it came.
    package let policy: String
    private let signature: String
    private let form: Form

    /// Reads the signature of a form; `nil` for one without policy and signature.
    ///
    /// - Throws: `S3Error` with `invalidArgument` for an incomplete one.
    package init?(of fields: FormFields) throws(S3Error) {
        let marks = ["policy", "signature", "awsaccesskeyid", "x-amz-signature", "x-amz-credential", "x-amz-algorithm"]
        guard marks.contains(where: { fields[$0] != nil }) else { return nil }
        policy = try Self.needed("policy", in: fields)
        if fields["awsaccesskeyid"] != nil || fields["signature"] != nil {
            guard fields["x-amz-signature"] == nil else {
                throw S3Error(.invalidArgument, "Only one way of authorization may be used.")
            }
            accessKey = try Self.needed("awsaccesskeyid", in: fields)
            signature = try Self.needed("signature", in: fields)
            form = .version2
            return
        }
        signature = try Self.needed("x-amz-signature", in: fields).lowercased()
        guard try Self.needed("x-amz-algorithm", in: fields) == CanonicalRequest.algorithm else {
            throw S3Error(.invalidArgument, "x-amz-algorithm only supports \"\(CanonicalRequest.algorithm)\".")
        }
        let credential = try Self.needed("x-amz-credential", in: fields)
        let (accessKey, scope) = try PresentedSignature.credential(credential[...], orThrow: .invalidArgument)
        let date = try Self.needed("x-amz-date", in: fields)
        guard date.utf8.count == 16, scope.date.utf8.count == 8, date.hasPrefix(scope.date) else {
            throw S3Error(.invalidArgument, "The date in the credential does not match x-amz-date.")
        }
        self.accessKey = accessKey
        form = .version4(scope)
    }

    private static func needed(_ name: String, in fields: FormFields) throws(S3Error) -> String {
        guard let value = fields[name] else {
            throw S3Error(
                .invalidArgument,
                "Bucket POST must contain a field named '\(name)'.  If it is specified, please check the order of the "
                    + "fields.",
                details: [("ArgumentName", name), ("ArgumentValue", "")]
            )
        }
        return value
    }

    /// Verifies the signature.
    ///
    /// - Parameters:
    ///   - secretKey: the secret that belongs to `accessKey`.
    ///   - signingKey: makes the signing key of a secret for a scope, or has it.
    /// - Throws: `S3Error` with `signatureDoesNotMatch`.
    package func verify(
        secretKey: String,
        signingKey: (CredentialScope) -> SigningKey
    ) throws(S3Error) {
        let expected: String
        switch form {
        case .version4(let scope): expected = Hexadecimal.text(signingKey(scope).signature(of: policy))
        case .version2:
            let key = SymmetricKey(data: Array(secretKey.utf8))
            expected = Base64.encode(
                Array(HMAC<Insecure.SHA1>.authenticationCode(for: Array(policy.utf8), using: key)))
        }
        guard PresentedSignature.areEqual(Array(expected.utf8), Array(signature.utf8)) else {
            throw S3Error(
                .signatureDoesNotMatch,
                details: [("AWSAccessKeyId", accessKey), ("StringToSign", policy), ("SignatureProvided", signature)]
            )
        }
    }
}
