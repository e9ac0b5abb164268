import Model
import S3Client
import Scheduling
import Synchronization

/// Keeps what goes to providers below the bandwidth of their links, and within their windows.
///
/// Lines of several services to the same place share its bandwidth.
final class LinkPaces: Sendable {
    private struct Link: Hashable {
        let address: String
        let rate: ByteCount
    }

    private let buckets = Mutex<[Link: TokenBucket]>([:])
    private let now: @Sendable () -> Instant

    init(now: @escaping @Sendable () -> Instant) { self.now = now }

    /// The pace of a link; `nil` where nothing slows it down.
    func pace(of limits: LinkLimits, to address: String) -> TransferPace? {
        guard limits.bandwidth != nil || !limits.windows.isEmpty else { return nil }
        let link = limits.bandwidth.map { Link(address: address, rate: $0) }
        let rate = limits.bandwidth?.bytes ?? .max
        return TransferPace(
            // A tenth of a second's bytes: small enough to flow evenly.
            chunk: min(256 << 10, max(1 << 10, rate / 10)),
            // Twice as long as it takes when another takes as much.
            patience: { bytes in .seconds(60 + bytes / max(1, rate / 8)) },
            take: { [self] bytes in
                guard let link else { return }
                let wait = take(bytes, from: link)
                if wait > .zero { try await Task.sleep(for: wait) }
            },
            isOpen: { [self] in opening(of: limits, at: now()) == nil }
        )
    }

    /// When a link opens; `nil` where it is open.
    func opening(of limits: LinkLimits, at now: Instant) -> Instant? {
        limits.opening(at: now) { _ in LinkLimits.fixedOffset(limits.timeZone) ?? 0 }
    }

    private func take(_ bytes: Int64, from link: Link) -> Duration {
        let now = now()
        return buckets.withLock { $0[link, default: TokenBucket(rate: link.rate)].take(bytes, at: now) }
    }
}

extension StorageProviders {
    /// Where a provider is, as far as that tells links apart.
    func address(of id: ProviderID) -> String {
        switch id.kind {
        case .minio, .s3: objectStore(id).map { $0.endpoint.isEmpty ? "s3 \($0.region)" : $0.endpoint } ?? ""
        case .webdav: webdav[id.name]?.hostname ?? ""
        case .onedata, .rucio: ""
        }
    }
}
