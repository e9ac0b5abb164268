extension XMLElement {
    /// The text without white space at its ends.
    package var trimmedText: String {
        var rest = text[...]
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }

    /// Refuses children that the schema does not have, and single ones that are there twice.
    ///
    /// A configuration that is only half understood would do something else than its author thinks.
    ///
    /// - Parameters:
    ///   - single: the names that may be there once.
    ///   - repeated: the names that may be there often.
    /// - Throws: `S3Error` with `malformedXML`.
    func checkChildren(_ single: Set<String>, repeated: Set<String> = []) throws(S3Error) {
        var seen: Set<String> = []
        for child in children where !repeated.contains(child.name) {
            guard single.contains(child.name), seen.insert(child.name).inserted else {
                throw S3Error(
                    .malformedXML,
                    "The XML you provided was not well-formed or did not validate against our published schema: "
                        + "\(child.name) in \(name)."
                )
            }
        }
    }
}
