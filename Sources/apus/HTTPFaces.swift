import Cluster
import HTTPAPI
import Hummingbird
import Identity
import Logging
import Model
import NIOCore
import ObjectEngine
import S3API
import ServiceLifecycle
import Settings

/// The two HTTP servers of a cluster.
struct HTTPFaces {
    let gateway: Gateway
    let objects: ObjectStore
    let authenticator: Authenticator
    let notifications: Notifications
    let scheduler: JobScheduler
    /// With which both speak TLS; `nil` for plain HTTP.
    let tls: TLSIdentity?
    let audit: AuditLog
    /// Whether the audit log tells of each write of an object.
    let auditsObjects: Bool
    let now: @Sendable () -> Instant
    let logger: Logger

    private static let serverName = "Apus"

    func api(on address: ServeSettings.Address, ready: @escaping @Sendable () -> Void) -> any Service {
        Application(
            responder: gateway.router().buildResponder(),
            // The proxy sees all that happens on a connection, so it is the one that closes idle ones.
            server: S3Server.http1(
                behindDecoder: gateway.connectionHandlers(
                    serverName: Self.serverName, isSecure: tls != nil, logger: quiet),
                idleTimeout: nil, securing: tls.map { $0.secure }),
            configuration: configuration(address), onServerRunning: { _ in ready() }, logger: quiet
        )
    }

    func s3(
        on address: ServeSettings.Address,
        domains: [String],
        ready: @escaping @Sendable () -> Void
    ) -> any Service {
        let (authenticator, notifications, scheduler) = (authenticator, notifications, scheduler)
        let responder = S3Responder(
            store: objects, domains: domains, secret: { authenticator.secret(forAccessKey: $0) },
            notificationRefusal: { notifications.refusal(of: $0, in: $1, by: $2) },
            notificationsWillChange: { try await notifications.rulesWillChange() },
            storageRefusal: { scheduler.storageRefusal }, logins: authenticator.logins,
            audit: S3Audit(audit, tellsObjects: auditsObjects), now: now
        )
        return Application(
            responder: responder,
            server: S3Server.http1(hot: (responder, Self.serverName), securing: tls.map { $0.secure }),
            configuration: configuration(address), onServerRunning: { _ in ready() }, logger: quiet
        )
    }

    private func configuration(_ address: ServeSettings.Address) -> ApplicationConfiguration {
        ApplicationConfiguration(
            address: .hostname(address.host, port: address.port), serverName: Self.serverName,
            availableConnectionsDelegate: ConnectionLimit.make(logger: quiet)
        )
    }

    /// The server's own messages are for debugging.
    private var quiet: Logger {
        var logger = logger
        logger.logLevel = max(logger.logLevel, .warning)
        return logger
    }
}
