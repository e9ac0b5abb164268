import Identity
import ServiceLifecycle

/// Lets the audit log write, until everything that could tell it something has ended.
struct AuditService: Service {
    let log: AuditLog

    func run() async {
        await withGracefulShutdownHandler {
            await log.run()
        } onGracefulShutdown: {
            log.finish()
        }
    }
}
