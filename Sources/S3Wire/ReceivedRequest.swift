/// The head of a request as it came, with nothing normalised.
package struct ReceivedRequest: Sendable {
    package let method: String
    /// Percent-encoded, without the query.
    package let path: String
    package let query: QueryItems
    /// With `Host`; names in lower case.
    package let headers: [(name: String, value: String)]
    /// The bucket that the host names, not yet checked; `nil` where the path begins with it.
    package let virtualBucket: String?

    /// - Parameters:
    ///   - target: what stands in the request line: a path and a query.
    ///   - virtualBucket: the bucket that the host names, if it does.
    /// - Throws: `S3Error` with `invalidURI` where the query is not percent-encoded UTF-8.
    package init(
        method: String,
        target: String,
        headers: [(name: String, value: String)],
        virtualBucket: String? = nil
    ) throws(S3Error) {
        self.method = method
        self.virtualBucket = virtualBucket
        let path = target.utf8.prefix { $0 != UInt8(ascii: "?") }
        self.path = String(Substring(path))
        query = try QueryItems(parsing: Substring(target.utf8.dropFirst(path.count + 1)))
        self.headers = headers.map { ($0.name.lowercasedIfNeeded(), $0.value) }
    }

    /// The same with other headers, whose names are in lower case.
    init(_ request: ReceivedRequest, headers: [(name: String, value: String)]) {
        (method, path, query) = (request.method, request.path, request.query)
        virtualBucket = request.virtualBucket
        self.headers = headers
    }

    /// The value of a header; those of several lines joined with commas.
    ///
    /// The name is given in lower case.
    package func header(_ name: String) -> String? {
        var joined: String?
        for header in headers where header.name == name {
            joined = joined.map { "\($0),\(header.value)" } ?? header.value
        }
        return joined
    }
}
