/// Why an operation on an S3 store did not succeed.
package struct S3ClientError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The settings cannot work: an endpoint that is no URL, an empty key.
        case invalid
        /// No answer: no connection, a broken one, or silence for too long. Worth another try.
        case unreachable
        /// The store answered "no"; `s3Code` is S3's word for it, empty where the answer had none.
        case refused(status: Int, s3Code: String)
        /// No such bucket, key or upload.
        case notFound
        /// The answer is not what S3 promises: malformed XML, fewer bytes than announced.
        case malformedAnswer
        /// The local file cannot be read or written.
        case localFile
        /// The link closes: nothing more begins until it opens again.
        case paused
        /// The calling task was cancelled.
        case cancelled
    }

    package let code: Code
    /// For people, with what to do about it.
    package let message: String
    package let cause: (any Error)?
    /// How long the store asks to wait; only with `refused`.
    package var retryAfter: Duration?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        (self.code, self.message, self.cause) = (code, message, cause)
    }

    package var description: String { message }

    /// Whether the same request may succeed later without anybody changing anything: the store was not reached, asked
    /// to slow down, or failed on its own side.
    package var isTransient: Bool {
        switch code {
        case .unreachable, .malformedAnswer: true
        case .refused(let status, _): status >= 500 || status == 429 || status == 408
        case .invalid, .notFound, .localFile, .paused, .cancelled: false
        }
    }
}
