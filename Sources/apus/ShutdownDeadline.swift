import Cluster
import Glibc
import Logging
import ServiceLifecycle

/// Ends the program where something does not come to its end after the order to stop.
///
/// What was answered with success is on disk, so an abrupt end loses nothing; a program that never ends keeps its
/// supervisor from starting it again. To be the last of the services, which is the first that is told to stop.
struct ShutdownDeadline: Service {
    /// From the order to stop.
    let limit: Duration
    let sandboxes: SandboxSet
    let logger: Logger

    func run() async throws {
        try await gracefulShutdown()
        // Nobody awaits this: what it waits for is the end of the program.
        Task {
            try await Task.sleep(for: limit)
            logger.critical("the cluster did not stop in time; it ends now, and its jobs run again at the next start")
            await sandboxes.killAll()
            _exit(1)
        }
    }
}
