import Crypto

/// What a signature is valid for: one day, one region, one service.
package struct CredentialScope: Sendable, Hashable {
    /// `YYYYMMDD`, in UTC.
    package var date: String
    package var region: String
    package var service: String

    package init(date: String, region: String, service: String = "s3") {
        (self.date, self.region, self.service) = (date, region, service)
    }

    /// `date/region/service/aws4_request`.
    package var text: String { "\(date)/\(region)/\(service)/aws4_request" }
}

/// The key of Signature Version 4 for one secret and scope: four HMACs deep, so worth keeping.
package struct SigningKey: Sendable {
    package let scope: CredentialScope
    private let key: SymmetricKey

    package init(secretKey: String, scope: CredentialScope) {
        self.scope = scope
        let bytes = [scope.date, scope.region, scope.service, "aws4_request"].reduce(Array("AWS4\(secretKey)".utf8)) {
            Self.authenticationCode(of: $1, key: SymmetricKey(data: $0))
        }
        key = SymmetricKey(data: bytes)
    }

    /// The 32 bytes of the signature of a string to sign.
    package func signature(of stringToSign: String) -> [UInt8] { Self.authenticationCode(of: stringToSign, key: key) }

    private static func authenticationCode(of text: String, key: SymmetricKey) -> [UInt8] {
        Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
    }
}

/// The most recent signing keys.
///
/// Only keys of known access keys belong here.
package struct SigningKeyCache: Sendable {
    private struct Name: Hashable {
        let accessKey: String
        let secretKey: String
        let scope: CredentialScope
    }

    private let limit: Int
    private var keys: [Name: SigningKey] = [:]

    /// - Parameter limit: how many keys are kept; when one more comes, all are forgotten, as a new day does anyway.
    package init(limit: Int = 256) { self.limit = limit }

    /// How many keys are kept now.
    package var count: Int { keys.count }

    /// The key for that secret and scope, from the cache or newly made.
    package mutating func key(accessKey: String, secretKey: String, scope: CredentialScope) -> SigningKey {
        let name = Name(accessKey: accessKey, secretKey: secretKey, scope: scope)
        if let key = keys[name] { return key }
        if keys.count >= limit { keys.removeAll(keepingCapacity: true) }
        let key = SigningKey(secretKey: secretKey, scope: scope)
        keys[name] = key
        return key
    }
}
