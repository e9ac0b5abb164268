import Cluster
import Model

/// How a service's instances are, in OSCAR's words (oscar-api.md section 4.11).
struct DeploymentState: Sendable, Hashable {
    enum State: String, Sendable, Hashable {
        case pending, ready, degraded, failed, stopped, unavailable
    }

    let state: State
    let reason: String
    let since: Instant?
    let active: Int
    let affected: Int
    let kind: String

    /// - Parameter instances: `nil` where the service has none by its nature.
    init(_ instances: ExposedDesk.Instances?, isExposed: Bool) {
        guard let instances else {
            state = .unavailable
            reason = "Current deployment visibility is unavailable for this service runtime."
            since = nil
            (active, affected) = (0, 0)
            kind = "unavailable"
            return
        }
        state = Self.state(instances)
        active = instances.active
        affected = max(0, instances.active - instances.ready)
        reason = instances.reason ?? Self.reason(state, affected: affected, active: active)
        since = instances.since
        // What clients know of services that are not exposed: OSCAR's synchronous ones.
        kind = isExposed ? "exposed_service" : "knative_service"
    }

    private static func state(_ instances: ExposedDesk.Instances) -> State {
        if instances.desired == 0 { return .stopped }
        if instances.ready >= instances.desired { return .ready }
        if instances.ready > 0 { return .degraded }
        return instances.isFailing ? .failed : .pending
    }

    private static func reason(_ state: State, affected: Int, active: Int) -> String {
        switch state {
        case .stopped: "Deployment is stopped."
        case .ready: "Deployment is ready."
        case .degraded, .failed, .pending, .unavailable: "\(affected) of \(active) instances are affected."
        }
    }

    /// Keys in OSCAR's order.
    var json: JSONObject {
        var object: JSONObject = ["state": .string(state.rawValue), "reason": .string(reason)]
        if let since { object["last_transition_time"] = .string(since.rfc3339()) }
        object["active_instances"] = .integer(active)
        object["affected_instances"] = .integer(affected)
        object["resource_kind"] = .string(kind)
        return object
    }
}
