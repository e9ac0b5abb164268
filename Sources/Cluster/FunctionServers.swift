package import Model
import Synchronization
package import SystemPackage

/// Where the programs of services that answer HTTP themselves are reached: services of the mode `server`, and exposed
/// ones.
package struct FunctionServers: Sendable {
    /// Takes one place in an instance of the service, for one request.
    ///
    /// Waits until an instance is ready, starting one where none is, for as long as the service's time-out allows: who
    /// asks is never told that an instance is starting. The wait ends when the task is cancelled; nothing is taken
    /// then. An instance is ready when its socket accepts connections and its program accepts what comes through
    /// them: a socket that accepts while the program does not listen yet makes the first requests fail.
    ///
    /// - Throws: `ClusterError` with `notFound`, `busy` (as many wait already as may), `unavailable` (the service is
    ///   paused or stopped, or no instance became ready in time), `stopping`, `failed`; `CancellationError`.
    package var enter: @Sendable (ServiceName) async throws -> ServerSeat
    /// The same where a place is free now; `nil` where it takes a wait, or an error is to be told.
    ///
    /// Called on event loops for each request: it must not block, and should cost less than a microsecond.
    package var enterAtOnce: @Sendable (ServiceName) -> ServerSeat?

    package init(
        enter: @escaping @Sendable (ServiceName) async throws -> ServerSeat,
        enterAtOnce: @escaping @Sendable (ServiceName) -> ServerSeat? = { _ in nil }
    ) {
        self.enter = enter
        self.enterAtOnce = enterAtOnce
    }

    /// For a cluster in which no program answers HTTP.
    package static let none = FunctionServers { name in
        throw ClusterError(code: .unavailable, message: "the service \"\(name)\" has no program that answers requests")
    }
}

/// A place in an instance whose program answers HTTP, for one request or one connection that was upgraded.
package final class ServerSeat: Sendable {
    /// How the place was used.
    package enum Ending: Sendable, Hashable {
        /// A request was sent, whatever came of it.
        case served
        /// Nothing was sent: whoever asked went away before.
        case unused
        /// The instance took no connection for seconds, or went away with the request: it should get no other one.
        case unreachable
    }

    /// The socket on this machine that leads to the program's port; speaks HTTP/1.1.
    ///
    /// May be longer than the 107 bytes of a socket's address. It names one instance, and never another one later:
    /// connections to it are kept for further requests.
    package let socket: FilePath
    private let onLeave: Mutex<(@Sendable (Ending) -> Void)?>

    package init(socket: FilePath, onLeave: @escaping @Sendable (Ending) -> Void) {
        self.socket = socket
        self.onLeave = Mutex(onLeave)
    }

    /// Gives the place back; only the first call counts.
    package func leave(_ ending: Ending = .served) {
        let onLeave = onLeave.withLock { onLeave in
            defer { onLeave = nil }
            return onLeave
        }
        onLeave?(ending)
    }

    deinit { leave() }
}
