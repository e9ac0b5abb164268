/// Why a sandbox did not run a script, or an image could not be had.
package struct SandboxError: Error, Sendable, CustomStringConvertible {
    /// The kinds of failure that callers tell apart.
    package enum Code: Sendable, Hashable {
        /// The invocation cannot be run as it is given (a name, a path, an environment that is too large).
        case invalid
        /// The machine lacks what this sandbox needs.
        case unavailable
        /// The image is not in the store and could not be fetched.
        case imageMissing
        /// The image was found but cannot be used.
        case imageBroken
        /// The image is used by a running invocation.
        case imageInUse
        /// The script could not be started.
        case startFailed
        /// The task was cancelled; the script was ended.
        case cancelled
        /// The instance has ended before it gave an answer.
        case instanceLost
    }

    package let code: Code
    /// What is wrong and what to do about it.
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String { message }
}
