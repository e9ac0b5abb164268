/// Why a provider did not take a file.
package struct ProviderError: Error, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The provider does not answer, or says that it cannot now: try again later.
        case unreachable
        /// The provider answers and does not want this: wrong credentials, no such bucket, a forbidden place.
        case refused
        /// The provider has no space left. It may have some later.
        case full
        /// The entry under `storage_providers`, the path or the name cannot work.
        case invalidConfiguration
        /// The file on this side cannot be read.
        case local
        /// The link closes now: what is left goes when it opens again.
        case paused
        /// The caller's task was cancelled.
        case cancelled
    }

    package let code: Code
    /// What happened and what to do, for the owner of the service; holds no secret.
    package let message: String
    /// How long the provider asks to wait before the next try; only with `unreachable` and `full`.
    package let retryAfter: Duration?
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, retryAfter: Duration? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
        self.cause = cause
    }

    /// Whether the same call may succeed later without anybody changing anything.
    package var isTransient: Bool {
        switch code {
        case .unreachable, .full: true
        case .refused, .invalidConfiguration, .local, .paused, .cancelled: false
        }
    }

    package var description: String { message }

    /// Checks that an entry under `storage_providers` has something under a key.
    ///
    /// - Throws: `ProviderError` with `invalidConfiguration`.
    static func require(_ value: String, _ key: String, of provider: String) throws(ProviderError) {
        guard value.isEmpty else { return }
        throw ProviderError(.invalidConfiguration, "\(provider) in storage_providers needs \"\(key)\"")
    }
}
