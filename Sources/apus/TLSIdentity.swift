import Identity
import Logging
import Model
import NIOCore
import NIOPosix
import NIOSSL
import ServiceLifecycle
import Settings
import Synchronization
import SystemPackage

/// The certificate with which both faces prove who they are.
///
/// It is read again when its files change; where they are not
/// good then, the old one holds on.
final class TLSIdentity: Service {
    /// How often the files are looked at.
    private static let pause = Duration.seconds(10)
    /// How often a certificate of our own is looked at.
    private static let renewal = Duration.seconds(6 * 3600)

    private struct State {
        var context: NIOSSLContext
        var stamps: [FileStamp?]
    }

    let certificate: FilePath
    private let key: FilePath
    private let renew: @Sendable () throws -> Void
    private let state: Mutex<State>
    private let logger: Logger

    /// - Parameter renew: makes the files anew where that is due; blocks.
    /// - Throws: `SettingError` for files that are no certificate and its key.
    init(
        certificate: FilePath,
        key: FilePath,
        renew: @escaping @Sendable () throws -> Void = {},
        logger: Logger
    ) throws {
        (self.certificate, self.key, self.renew, self.logger) = (certificate, key, renew, logger)
        let stamps = Self.stamps(certificate, key)
        state = Mutex(State(context: try Self.load(certificate, key), stamps: stamps))
    }

    /// Puts TLS before all else of a new connection.
    @Sendable func secure(_ channel: any Channel) throws {
        let context = state.withLock { $0.context }
        try channel.pipeline.syncOperations.addHandler(NIOSSLServerHandler(context: context))
    }

    func run() async throws {
        await cancelWhenGracefulShutdown {
            var left = Self.renewal
            while (try? await Task.sleep(for: Self.pause)) != nil {
                left -= Self.pause
                let isDue = left <= .zero
                if isDue { left = Self.renewal }
                // The pool ends only with the program.
                try? await NIOThreadPool.singleton.runIfActive { self.look(renewing: isDue) }
            }
        }
    }

    /// Takes the files where they have changed; blocks.
    func look(renewing: Bool = false) {
        if renewing {
            do { try renew() } catch {
                logger.error("the certificate could not be renewed", metadata: ["error": "\(error)"])
            }
        }
        let stamps = Self.stamps(certificate, key)
        guard stamps != state.withLock({ $0.stamps }) else { return }
        do {
            let context = try Self.load(certificate, key)
            state.withLock { $0 = State(context: context, stamps: stamps) }
            logger.notice("took a new certificate", metadata: ["file": "\(certificate)"])
        } catch {
            // Said once for these files, not each time they are looked at.
            state.withLock { $0.stamps = stamps }
            logger.error("the new certificate cannot be used; the old one holds on", metadata: ["error": "\(error)"])
        }
    }

    private static func load(_ certificate: FilePath, _ key: FilePath) throws(SettingError) -> NIOSSLContext {
        let chain: [NIOSSLCertificate]
        do { chain = try NIOSSLCertificate.fromPEMFile(certificate.string) } catch {
            throw SettingError(message: "--tls-certificate: \(certificate) is no certificate in PEM: \(error)")
        }
        let secret: NIOSSLPrivateKey
        do { secret = try NIOSSLPrivateKey(file: key.string, format: .pem) } catch {
            throw SettingError(message: "--tls-key: \(key) is no private key in PEM: \(error)")
        }
        var configuration = TLSConfiguration.makeServerConfiguration(
            certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(secret))
        configuration.minimumTLSVersion = .tlsv12
        configuration.applicationProtocols = ["http/1.1"]
        do { return try NIOSSLContext(configuration: configuration) } catch {
            throw SettingError(
                message:
                    "--tls-certificate: \(certificate) and \(key) do not belong together, or cannot be used: \(error)")
        }
    }

    private static func stamps(_ files: FilePath...) -> [FileStamp?] { files.map { FileStamp($0) } }
}
