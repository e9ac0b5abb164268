/// The headers that a signed link carries in its query ("hoisting").
///
/// Software that makes links puts what it would send as `x-amz-…` headers into the query, so that whoever has the link
/// need not know them. All of a query is signed, so they are as good as headers.
extension ReceivedRequest {
    /// Parameters of the signature itself.
    private static let ofSignature: Set<String> = [
        "x-amz-algorithm", "x-amz-content-sha256", "x-amz-credential", "x-amz-date", "x-amz-expires",
        "x-amz-security-token", "x-amz-signature", "x-amz-signedheaders",
    ]

    /// What counts only as a header.
    ///
    /// S3 ignores checksums of links ("Download and upload objects with presigned URLs"), and must: AWS's library for
    /// JavaScript writes the checksum of an empty body into each.
    private static func isHeaderOnly(_ name: String) -> Bool {
        name.hasPrefix("x-amz-checksum-") || name == "x-amz-sdk-checksum-algorithm" || name == "x-amz-trailer"
            || name == "x-amz-decoded-content-length"
    }

    private var isSignedInQuery: Bool {
        query.items.contains { $0.name == "X-Amz-Signature" || $0.name == "Signature" }
    }

    /// The `x-amz-…` parameters of the query, names in lower case; but for those that the request has as headers too,
    /// which win.
    var headersInQuery: [(name: String, value: String)] {
        query.items.compactMap { item in
            let name = item.name.lowercasedIfNeeded()
            guard name.hasPrefix("x-amz-"), !headers.contains(where: { $0.name == name }) else { return nil }
            return (name, item.value)
        }
    }

    /// The same request where what a signed link carries for its headers is among them.
    ///
    /// Not to be given to the verification of signatures, which is over the request as it came.
    package var withHeadersOfQuery: ReceivedRequest {
        guard !query.items.isEmpty, isSignedInQuery else { return self }
        let further = headersInQuery.filter { !Self.ofSignature.contains($0.name) && !Self.isHeaderOnly($0.name) }
        return further.isEmpty ? self : ReceivedRequest(self, headers: headers + further)
    }
}
