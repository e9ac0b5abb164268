/// Where a job stands between its creation and its recorded end.
package enum JobState: String, Sendable, Hashable, CaseIterable {
    case queued
    /// Its input is on the way into the sandbox.
    case stagingIn = "staging_in"
    case running
    /// Its results are on the way to storages of this cluster.
    case stagingOut = "staging_out"
    /// The script has succeeded; results still wait for a storage outside this cluster.
    case delivering
    case succeeded
    case failed
    case cancelled
    /// All attempts that its service allows have failed; it waits for somebody to send it on its way again.
    case dead

    /// What OSCAR's API calls the state (oscar-api.md section 6).
    package var oscarStatus: String {
        switch self {
        case .queued: "Pending"
        case .stagingIn, .running, .stagingOut, .delivering: "Running"
        case .succeeded: "Succeeded"
        case .failed, .cancelled, .dead: "Failed"
        }
    }

    /// Whether the state is an end: it changes only where somebody sends a job that did not succeed on its way again.
    package var isFinal: Bool {
        switch self {
        case .succeeded, .failed, .cancelled, .dead: true
        case .queued, .stagingIn, .running, .stagingOut, .delivering: false
        }
    }

    /// Whether the state is an end that somebody may want to look at, and to begin anew.
    package var isUnsuccessful: Bool { isFinal && self != .succeeded }

    /// Whether a job in this state holds processor time and memory of the cluster.
    package var holdsResources: Bool {
        switch self {
        case .stagingIn, .running, .stagingOut: true
        case .queued, .delivering, .succeeded, .failed, .cancelled, .dead: false
        }
    }
}
