import Crypto
package import Model

/// Decides who may try to log in: whoever failed often waits, and is not even asked what they know.
///
/// Failures count for the address and for the name. What has worked from an address once goes on to work from there,
/// whatever others behind the same address do, so that nobody can lock out somebody else. Bounded: 4,096 addresses and
/// names, 1,024 good logins.
package struct LoginLimiter: Sendable {
    /// Who tries, from where.
    package struct Attempt: Sendable, Hashable {
        package let address: String
        package let name: String
        /// Names the credentials, without holding them.
        let digest: SHA256Digest

        /// - Parameter proof: what is presented, for example the whole header; the name alone where it differs each time.
        package init(address: String, name: some StringProtocol, proof: some StringProtocol) {
            self.address = Self.network(address)
            self.name = String(name.prefix(128))
            var hash = SHA256()
            for part in [self.address, self.name] {
                hash.update(data: Array(part.utf8))
                hash.update(data: [0])
            }
            hash.update(data: Array(proof.utf8))
            digest = hash.finalize()
        }

        /// Of IPv6, the 64 bits that one customer has; all addresses in it are one.
        private static func network(_ address: String) -> String {
            guard address.contains(":"), !address.hasPrefix("::ffff:") else { return address }
            let groups = address.split(separator: ":", omittingEmptySubsequences: false).prefix(4)
            return groups.joined(separator: ":")
        }
    }

    /// Ten failures at once, then one each six seconds.
    private static let ofAddress = (most: 10, refill: Duration.seconds(6))
    /// From all addresses together: thirty at once, then one each two seconds.
    private static let ofName = (most: 30, refill: Duration.seconds(2))
    private static let mostCounts = 4_096
    private static let mostGood = 1_024
    private static let goodKept = Duration.seconds(86_400)

    private var addresses: [String: RefillingCount] = [:]
    private var names: [String: RefillingCount] = [:]
    private var good = ShortMemory<SHA256Digest, Void>(most: mostGood)

    package init() {}

    /// Whether nobody has failed lately, so that nothing has to be asked.
    package var isIdle: Bool { addresses.isEmpty && names.isEmpty }

    /// How much is remembered.
    var counts: (addresses: Int, names: Int, good: Int) { (addresses.count, names.count, good.count) }

    /// How long to wait before this may be tried; zero where it may be tried now.
    package func wait(_ attempt: Attempt, at now: Instant) -> Duration {
        let waits = [addresses[attempt.address]?.wait(at: now), names[attempt.name]?.wait(at: now)]
        let wait = waits.compactMap(\.self).max() ?? .zero
        guard wait > .zero, good.value(of: attempt.digest, at: now) == nil else { return .zero }
        return wait
    }

    package mutating func failed(_ attempt: Attempt, at now: Instant) {
        Self.count(attempt.address, in: &addresses, Self.ofAddress, now)
        if !attempt.name.isEmpty { Self.count(attempt.name, in: &names, Self.ofName, now) }
    }

    /// Forgets the failures of the address and the name, where there were any.
    package mutating func succeeded(_ attempt: Attempt, at now: Instant) {
        good.keep((), for: attempt.digest, until: now + Self.goodKept, at: now)
        addresses[attempt.address] = nil
        names[attempt.name] = nil
    }

    private static func count(
        _ key: String,
        in counts: inout [String: RefillingCount],
        _ limit: (most: Int, refill: Duration),
        _ now: Instant
    ) {
        if counts[key] == nil, counts.count >= mostCounts {
            counts = counts.filter { !$0.value.isFull(at: now) }
            // Where all of them are in use, some go, no matter which.
            if counts.count >= mostCounts { for key in Array(counts.keys.prefix(mostCounts / 8)) { counts[key] = nil } }
        }
        _ = counts[key, default: RefillingCount(most: limit.most, refill: limit.refill, now: now)].take(at: now)
    }
}
