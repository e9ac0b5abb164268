/// Why a use case could not be carried out.
package struct ClusterError: Error, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// What the caller sent cannot be accepted.
        case invalid
        case notFound
        case alreadyExists
        /// It does not fit what is there: the state of a job, a request under way.
        case conflict
        /// The key of the request belongs to another request.
        case mismatch
        /// The caller may not do that.
        case forbidden
        /// Larger than a configured limit.
        case tooLarge
        /// Too much is waiting already; try again later.
        case busy
        /// Not now: the service is paused, or the machine lacks something.
        case unavailable
        /// The cluster is stopping.
        case stopping
        /// The data directory is in use, or belongs to a newer version.
        case dataDirectory
        /// Something of ours failed: disk, database, sandbox.
        case failed
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?
    /// When to try again, where that can be told.
    package let retryAfter: Duration?

    package init(code: Code, message: String, cause: (any Error)? = nil, retryAfter: Duration? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
        self.retryAfter = retryAfter
    }

    package var description: String { cause.map { "\(message): \($0)" } ?? message }
}
