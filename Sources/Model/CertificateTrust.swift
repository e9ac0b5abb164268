/// Which certificates a client believes beside those that the system does.
package struct CertificateTrust: Sendable, Hashable {
    /// A file of certificates in PEM.
    package var file: String
    /// Whether a certificate must also be for the host's name.
    package var checksHost: Bool

    package init(file: String, checksHost: Bool = true) { (self.file, self.checksHost) = (file, checksHost) }
}
