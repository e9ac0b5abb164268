/// What a client signs its requests with.
package struct S3Credentials: Sendable, Hashable, CustomStringConvertible {
    package var accessKey: String
    package var secretKey: String
    /// For temporary credentials.
    package var sessionToken: String?

    package init(accessKey: String, secretKey: String, sessionToken: String? = nil) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.sessionToken = sessionToken
    }

    /// Names the access key only: the secret must never reach a log.
    package var description: String { "S3Credentials(\(accessKey))" }
}
