import Identity
import Logging
import Model
import Settings
import SystemPackage

extension TLSIdentity {
    /// What the settings say; `nil` where the faces speak plainly.
    ///
    /// - Throws: `SettingError`, `IdentityError`.
    static func make(
        _ settings: IdentitySettings,
        data: FilePath,
        hosts: [String],
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) throws -> (identity: TLSIdentity, fingerprint: String?)? {
        switch settings.tls {
        case .none: return nil
        case .files(let files):
            let identity = try TLSIdentity(
                certificate: FilePath(files.certificate).madeAbsolute, key: FilePath(files.key).madeAbsolute,
                logger: logger)
            return (identity, nil)
        case .selfSigned:
            let subject = subject(hosts)
            let made = try SelfSignedCertificate(in: data, for: subject, now: now())
            let identity = try TLSIdentity(
                certificate: made.certificate, key: made.key,
                renew: { _ = try SelfSignedCertificate(in: data, for: subject, now: now()) }, logger: logger)
            return (identity, made.fingerprint)
        }
    }

    /// This machine by all its names, and where the faces listen.
    private static func subject(_ hosts: [String]) -> SelfSignedCertificate.Subject {
        var names = ["localhost"]
        var addresses: [[UInt8]] = [[127, 0, 0, 1], [UInt8](repeating: 0, count: 15) + [1]]
        for host in [HostName.current] + hosts {
            if let address = HostName.bytes(ofAddress: host) {
                if !addresses.contains(address), address.contains(where: { $0 != 0 }) { addresses.append(address) }
            } else if !names.contains(host) {
                names.append(host)
            }
        }
        return SelfSignedCertificate.Subject(names: names, addresses: addresses)
    }
}
