package import AsyncHTTPClient
package import Model
package import NIOCore
import NIOSSL

/// A client of one cluster's HTTP API: Apus's own, or OSCAR's as far as it goes.
///
/// It never tries again by itself. The HTTP client belongs to the caller, who shuts it down; make it with
/// `HTTPClient.Configuration.clusterRequests`.
package struct APIClient: Sendable {
    /// What proves who asks.
    package enum Credentials: Sendable, Hashable {
        case none
        case basic(user: String, password: String)
        /// A service's token, or an OpenID Connect access token.
        case bearer(String)
    }

    /// How long the parts of an exchange may take.
    package struct Patience: Sendable {
        /// Until the head of an ordinary answer.
        package var answer: TimeAmount
        /// Until the head of the answer of a synchronous run, which comes when the script has ended.
        package var run: TimeAmount
        /// Until the head of the answer of an image's import.
        package var image: TimeAmount

        package init(answer: TimeAmount = .seconds(30), run: TimeAmount = .hours(1), image: TimeAmount = .hours(1)) {
            (self.answer, self.run, self.image) = (answer, run, image)
        }
    }

    /// Without a slash at its end.
    package let endpoint: String
    let credentials: Credentials
    let httpClient: HTTPClient
    let tls: TLSConfiguration?
    let patience: Patience

    /// - Parameters:
    ///   - endpoint: `http://host[:port][/path]` or `https://…`.
    ///   - verifyTLS: whether a certificate must be valid for the host.
    ///   - trust: which certificates to believe beside those of the system.
    /// - Throws: `invalidRequest` for an endpoint that is no such URL.
    package init(
        endpoint: String,
        credentials: Credentials,
        verifyTLS: Bool = true,
        trust: CertificateTrust? = nil,
        patience: Patience = Patience(),
        httpClient: HTTPClient
    ) throws(APIClientError) {
        self.endpoint = try Self.checkedEndpoint(endpoint)
        self.credentials = credentials
        self.patience = patience
        self.httpClient = httpClient
        tls = endpoint.hasPrefix("https://") ? Self.tls(verifies: verifyTLS, trust) : nil
    }

    /// `nil` for the system's own way.
    private static func tls(verifies: Bool, _ trust: CertificateTrust?) -> TLSConfiguration? {
        guard !verifies || trust != nil else { return nil }
        var configuration = TLSConfiguration.makeClientConfiguration()
        if !verifies {
            configuration.certificateVerification = .none
        } else if let trust {
            configuration.additionalTrustRoots = [.file(trust.file)]
            if !trust.checksHost { configuration.certificateVerification = .noHostnameVerification }
        }
        return configuration
    }

    /// The endpoint without slashes at its end.
    ///
    /// - Throws: `invalidRequest` unless it is an HTTP URL with a host and without a query.
    package static func checkedEndpoint(_ text: String) throws(APIClientError) -> String {
        var trimmed = text[...]
        while trimmed.hasSuffix("/") { trimmed.removeLast() }
        let rest = trimmed.hasPrefix("http://") ? trimmed.dropFirst(7) : trimmed.dropFirst(8)
        let isHTTP = trimmed.hasPrefix("http://") || trimmed.hasPrefix("https://")
        let forbidden: Set<UInt8> = [UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "@"), UInt8(ascii: "\\")]
        guard isHTTP, !rest.isEmpty, !rest.hasPrefix("/"), !rest.hasPrefix(":"),
            rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && !forbidden.contains($0) })
        else {
            throw APIClientError(
                .invalidRequest,
                "\"\(text)\" is not the address of a cluster; write it as http://host:port or https://host")
        }
        return String(trimmed)
    }
}

extension HTTPClient.Configuration {
    /// Settings for a cluster's API: 10 s to connect, no limit on silence within an answer (a followed log may be
    /// silent for long), no redirects, no second try at a refused connection, HTTP/1.1.
    package static var clusterRequests: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: nil, write: .seconds(120))
        )
        configuration.connectionPool.retryConnectionEstablishment = false
        configuration.httpVersion = .http1Only
        return configuration
    }
}
