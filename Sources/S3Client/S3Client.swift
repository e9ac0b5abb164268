package import AsyncHTTPClient
import Glibc
package import Model
import NIOCore
import NIOSSL
package import S3Wire

/// A client of one S3 store, path style, that streams from and to files with flat memory.
///
/// It never tries again by itself: who calls knows whether to wait, to queue or to give up
/// (`S3ClientError.isTransient`). The HTTP client belongs to the caller, who shuts it down; make it with
/// `HTTPClient.Configuration.objectTransfers`.
package struct S3Client: Sendable {
    package let endpoint: S3Endpoint
    package let region: String
    let signer: RequestSigner
    let httpClient: HTTPClient
    let tls: TLSConfiguration?
    let now: @Sendable () -> Instant
    let partSize: Model.ByteCount

    /// - Parameters:
    ///   - region: as the store wants it in signatures; an empty text means `us-east-1`.
    ///   - verifyTLS: whether a certificate must be valid for the host.
    ///   - trust: which certificates to believe beside those of the system.
    ///   - partSize: up to this size an object goes up in one request, above it in parts of at least this size;
    ///     stores want at least 5 MiB.
    ///   - now: the clock that dates signatures; stores refuse one that is 15 minutes off.
    package init(
        endpoint: S3Endpoint,
        region: String = "us-east-1",
        credentials: S3Credentials,
        verifyTLS: Bool = true,
        trust: CertificateTrust? = nil,
        httpClient: HTTPClient,
        partSize: Model.ByteCount = .mebibytes(64),
        now: @escaping @Sendable () -> Instant = S3Client.systemTime
    ) {
        self.endpoint = endpoint
        self.region = region.isEmpty ? "us-east-1" : region
        signer = RequestSigner(credentials: credentials, region: self.region)
        self.httpClient = httpClient
        self.partSize = partSize
        self.now = now
        tls = endpoint.isSecure ? Self.tls(verifies: verifyTLS, trust) : nil
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

    /// As above, with lasting keys.
    package init(
        endpoint: S3Endpoint,
        region: String = "us-east-1",
        accessKey: String,
        secretKey: String,
        verifyTLS: Bool = true,
        trust: CertificateTrust? = nil,
        httpClient: HTTPClient
    ) {
        self.init(
            endpoint: endpoint, region: region,
            credentials: S3Credentials(accessKey: accessKey, secretKey: secretKey), verifyTLS: verifyTLS,
            trust: trust, httpClient: httpClient)
    }

    /// The system's wall clock.
    package static let systemTime: @Sendable () -> Instant = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

extension HTTPClient.Configuration {
    /// Settings for moving objects: 10 s to connect, given up after 120 s of silence in either direction, no
    /// redirects (a signature holds for one address only), no second try at a refused connection, HTTP/1.1.
    package static var objectTransfers: HTTPClient.Configuration {
        var configuration = HTTPClient.Configuration(
            redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(10), read: .seconds(120), write: .seconds(120))
        )
        configuration.connectionPool.retryConnectionEstablishment = false
        // Lines of several services to one host must not wait for one another: the wait would count as the time to connect.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 128
        configuration.httpVersion = .http1Only
        return configuration
    }
}
