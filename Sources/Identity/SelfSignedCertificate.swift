import Crypto
import FoundationEssentials
package import Model
import SwiftASN1
package import SystemPackage
import X509

/// A certificate that vouches for itself, for laboratories: clients must be given it, or told not to look.
package struct SelfSignedCertificate: Sendable {
    /// The names of the files in the data directory.
    package static let certificateName = "tls-certificate.pem"
    package static let keyName = "tls-key.pem"
    private static let lifetime = Duration.seconds(365 * 86_400)
    /// With less than this left, a new one is made.
    private static let leastLeft = Duration.seconds(30 * 86_400)
    /// Clocks of clients may be behind.
    private static let backdated = Duration.seconds(3600)

    /// What a certificate is for.
    package struct Subject: Sendable, Hashable {
        /// Host names.
        package var names: [String]
        /// The bytes of addresses, 4 or 16 each.
        package var addresses: [[UInt8]]

        package init(names: [String], addresses: [[UInt8]]) { (self.names, self.addresses) = (names, addresses) }

        fileprivate var alternatives: [GeneralName] {
            names.map { .dnsName($0) } + addresses.map { .ipAddress(ASN1OctetString(contentBytes: $0[...])) }
        }
    }

    package let certificate: FilePath
    package let key: FilePath
    /// Whether it was made now.
    package let isNew: Bool
    /// SHA-256 of the certificate, as people compare it: `AB:CD:…`.
    package let fingerprint: String

    /// Finds the certificate in a data directory, or makes one: where there is none, where it is for other names, and where
    /// it ends soon.
    ///
    /// Blocks the thread for a few small system calls and syncs.
    ///
    /// - Throws: `IdentityError` with `unreadable`, `unwritable`.
    package init(in directory: FilePath, for subject: Subject, now: Instant) throws(IdentityError) {
        certificate = directory.appending(Self.certificateName)
        key = directory.appending(Self.keyName)
        if let old = try Self.stored(certificate, key), Self.isGood(old, subject, now) {
            isNew = false
            fingerprint = Self.fingerprint(old)
            return
        }
        do {
            let secret = P256.Signing.PrivateKey()
            let made = try Self.make(secret, subject, now)
            var pem = made.pem
            if !pem.hasSuffix("\n") { pem += "\n" }
            // Where the program ends between the two, they do not fit, and both are made again.
            try PrivateFile.write(Array((secret.pemRepresentation + "\n").utf8), to: key)
            try PrivateFile.write(Array(pem.utf8), to: certificate)
            isNew = true
            fingerprint = Self.fingerprint(made.certificate)
        } catch {
            if let known = error as? IdentityError { throw known }
            throw IdentityError(.unwritable, "no certificate could be made: \(error)", cause: error)
        }
    }

    /// The certificate that is there, where its key is there, too, and fits.
    private static func stored(_ certificate: FilePath, _ key: FilePath) throws(IdentityError) -> Certificate? {
        guard let text = try PrivateFile.read(certificate), let secret = try PrivateFile.read(key) else { return nil }
        if secret.isOpenToOthers { try PrivateFile.restrict(key) }
        // What cannot be read is made anew.
        guard let found = try? Certificate(pemEncoded: String(decoding: text.bytes, as: UTF8.self)),
            let own = try? P256.Signing.PrivateKey(pemRepresentation: String(decoding: secret.bytes, as: UTF8.self)),
            Certificate.PublicKey(own.publicKey) == found.publicKey
        else { return nil }
        return found
    }

    private static func isGood(_ certificate: Certificate, _ subject: Subject, _ now: Instant) -> Bool {
        let left = certificate.notValidAfter.timeIntervalSince1970 - Double(now.seconds)
        guard left > Double(leastLeft.components.seconds) else { return false }
        let names = try? certificate.extensions.subjectAlternativeNames
        return names.map { Set($0) == Set(subject.alternatives) } ?? false
    }

    private static func make(
        _ key: P256.Signing.PrivateKey,
        _ subject: Subject,
        _ now: Instant
    ) throws -> (certificate: Certificate, pem: String) {
        let name = try DistinguishedName { CommonName(subject.names.first ?? "apus") }
        let publicKey = Certificate.PublicKey(key.publicKey)
        let certificate = try Certificate(
            version: .v3, serialNumber: Certificate.SerialNumber(), publicKey: publicKey,
            notValidBefore: date(now + (.zero - backdated)), notValidAfter: date(now + lifetime), issuer: name,
            subject: name, signatureAlgorithm: .ecdsaWithSHA256,
            extensions: Certificate.Extensions {
                // Clients take it for the root that it is.
                Critical(BasicConstraints.isCertificateAuthority(maxPathLength: 0))
                Critical(KeyUsage(digitalSignature: true, keyCertSign: true))
                try ExtendedKeyUsage([.serverAuth])
                SubjectKeyIdentifier(hash: publicKey)
                SubjectAlternativeNames(subject.alternatives)
            }, issuerPrivateKey: Certificate.PrivateKey(key))
        return (certificate, try certificate.serializeAsPEM().pemString)
    }

    private static func date(_ instant: Instant) -> Date { Date(timeIntervalSince1970: Double(instant.seconds)) }

    private static func fingerprint(_ certificate: Certificate) -> String {
        var serializer = DER.Serializer()
        // What was parsed or signed can be written.
        guard (try? certificate.serialize(into: &serializer)) != nil else { return "" }
        let digits = Array("0123456789ABCDEF")
        let bytes = Array(SHA256.hash(data: serializer.serializedBytes))
        return bytes.map { "\(digits[Int($0 >> 4)])\(digits[Int($0 & 15)])" }.joined(separator: ":")
    }
}
