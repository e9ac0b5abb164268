/// A place outside of the cluster that is told of events over HTTP.
package struct Webhook: Sendable, Hashable {
    /// What notification configurations call it: `arn:minio:sqs::NAME:webhook`.
    package let name: String
    /// `http` or `https`.
    package let url: String
    /// Proves to it who tells; secret.
    package let token: String?

    package init(name: String, url: String, token: String? = nil) {
        (self.name, self.url, self.token) = (name, url, token)
    }

    /// The header `Authorization`: as MinIO sends it, a token of two words is taken as it is.
    var authorization: String? {
        guard let token, !token.isEmpty else { return nil }
        return token.contains(" ") ? token : "Bearer \(token)"
    }
}
