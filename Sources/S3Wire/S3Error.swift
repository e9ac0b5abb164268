/// A request that cannot be answered with success, in the words of S3.
package struct S3Error: Error, Sendable {
    package let code: S3ErrorCode
    /// For the client to read.
    package let message: String
    /// Further elements of the error document, such as `ArgumentName`.
    package let details: [(name: String, value: String)]
    /// Header fields of the answer.
    package let headers: [(name: String, value: String)]
    package let cause: (any Error)?

    package init(
        _ code: S3ErrorCode,
        _ message: String? = nil,
        details: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = [],
        cause: (any Error)? = nil
    ) {
        self.code = code
        self.message = message ?? code.defaultMessage
        self.details = details
        self.headers = headers
        self.cause = cause
    }
}
