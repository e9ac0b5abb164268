/// Why credentials could not be read, made or kept.
package struct IdentityError: Error, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The credential file is there but cannot be read.
        case unreadable
        /// The credential file is not what Apus wrote.
        case malformedFile
        /// The credential file cannot be written.
        case unwritable
        /// A given user name, password or key breaks its rules.
        case invalidValue
    }

    package let code: Code
    /// What is wrong and what to do, for the person who starts Apus; holds no secret.
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String { message }
}
