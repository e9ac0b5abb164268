/// Why the state of the cluster could not be read or written.
package struct StateStoreError: Error, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// No such service or job.
        case notFound
        /// A service or job of that name is there already.
        case alreadyExists
        /// As many jobs wait as may.
        case queueFull
        /// A row that no version of this program wrote.
        case damaged
        /// The database could not be used.
        case database
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?

    package init(code: Code, message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String { cause.map { "\(message): \($0)" } ?? message }
}
