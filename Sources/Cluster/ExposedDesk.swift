package import Model

/// What is to be known of, and done with, the instances of a service that is exposed.
///
/// Each closure is called with services that are in the catalog and exposed, except `instances`, which is asked of all.
package struct ExposedDesk: Sendable {
    /// The instances of a service, at one moment.
    package struct Instances: Sendable, Hashable {
        /// How many there should be; 0 where the service was stopped, and only there: a service that is scaled to zero
        /// since nobody asks for it is ready, and has 1 here only where one is wanted.
        package var desired: Int
        /// How many there are, ready or not.
        package var active: Int
        /// How many of those answer.
        package var ready: Int
        /// Whether they cannot start: the program ends, or answers no probe, again and again.
        package var isFailing: Bool
        /// One sentence on the state, where there is more to say than the numbers do: the last failure of a start.
        package var reason: String?
        /// Since when it is so: the last change of the state that follows from the members above.
        package var since: Instant?

        package init(
            desired: Int,
            active: Int,
            ready: Int,
            isFailing: Bool = false,
            reason: String? = nil,
            since: Instant? = nil
        ) {
            self.desired = desired
            self.active = active
            self.ready = ready
            self.isFailing = isFailing
            self.reason = reason
            self.since = since
        }
    }

    /// A line that a program wrote to one of its streams.
    package struct LogLine: Sendable, Hashable {
        package var time: Instant
        /// Without the line's end.
        package var text: String

        package init(time: Instant, text: String) {
            self.time = time
            self.text = text
        }
    }

    /// The instances now; `nil` where a service has none by its nature.
    ///
    /// Must not wait for anything.
    package var instances: @Sendable (ServiceName) -> Instances?
    /// Ends all instances, after what they are answering, and starts none until `start`, whatever `min_scale` says.
    ///
    /// The service stays so over restarts of Apus and over updates of its definition: it is on disk before this
    /// returns. Requests that come meanwhile are refused with `unavailable`. Returns when that is decided, without
    /// waiting for the instances' end. Stopping what is stopped does nothing.
    package var stop: @Sendable (ServiceName) async throws -> Void
    /// Undoes `stop`: as many instances as before are wanted again, at least one.
    ///
    /// Starting what is not stopped does nothing. Returns when that is on disk, without waiting for the instances.
    package var start: @Sendable (ServiceName) async throws -> Void
    /// Replaces each instance by a new one.
    ///
    /// The new one comes first, where there is room for both, so that requests are answered all the time. What is
    /// stopped stays so. Returns without waiting for them.
    package var restart: @Sendable (ServiceName) async throws -> Void
    /// The last lines of all instances, those that have ended lately among them, by time; at most so many.
    ///
    /// `nil` where none are kept for the service.
    package var log: @Sendable (ServiceName, _ limit: Int) async -> [LogLine]?

    package init(
        instances: @escaping @Sendable (ServiceName) -> Instances?,
        stop: @escaping @Sendable (ServiceName) async throws -> Void,
        start: @escaping @Sendable (ServiceName) async throws -> Void,
        restart: @escaping @Sendable (ServiceName) async throws -> Void,
        log: @escaping @Sendable (ServiceName, _ limit: Int) async -> [LogLine]?
    ) {
        self.instances = instances
        self.stop = stop
        self.start = start
        self.restart = restart
        self.log = log
    }

    /// For a cluster that exposes nothing.
    package static let none = ExposedDesk(
        instances: { _ in nil }, stop: { _ in throw absent }, start: { _ in throw absent },
        restart: { _ in throw absent }, log: { _, _ in nil })

    private static let absent = ClusterError(code: .unavailable, message: "this cluster exposes no services")

    /// Where an exposed service is reached, without the slash at the end; its program finds it in
    /// `OSCAR_SERVICE_BASE_PATH`.
    package static func basePath(of service: ServiceName) -> String { "/system/services/\(service)/exposed" }
}
