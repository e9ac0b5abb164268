/// The parameters of a request, decoded, in the order in which they came.
package struct QueryItems: Sendable, Hashable {
    /// One `name=value`; a name alone has an empty value.
    package struct Item: Sendable, Hashable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String = "") { (self.name, self.value) = (name, value) }
    }

    package var items: [Item]

    package init(_ items: [Item] = []) { self.items = items }

    /// Parses what stands after the question mark.
    ///
    /// - Throws: `S3Error` with `invalidURI` for broken percent-encoding and for bytes that are not UTF-8.
    package init(parsing query: some StringProtocol) throws(S3Error) {
        items = []
        for part in Substring(query).utf8.split(separator: UInt8(ascii: "&")) {
            let name = part.prefix { $0 != UInt8(ascii: "=") }
            let value = part.dropFirst(name.count + 1)
            guard let decodedName = PercentEncoding.decoded(Substring(name), plusIsSpace: true),
                let decodedValue = PercentEncoding.decoded(Substring(value), plusIsSpace: true)
            else { throw S3Error(.invalidURI, "The query is not percent-encoded UTF-8.") }
            items.append(Item(decodedName, decodedValue))
        }
    }

    /// The first value of that name.
    package subscript(_ name: String) -> String? { items.first { $0.name == name }?.value }

    /// Whether the parameter is there, with a value or without.
    package func contains(_ name: String) -> Bool { items.contains { $0.name == name } }

    /// The form that is signed, which is also good to send: each part encoded, sorted by name and then value, joined
    /// with `&`, with a `=` after each name.
    package var canonicalText: String {
        items.map { (PercentEncoding.encoded($0.name), PercentEncoding.encoded($0.value)) }
            .sorted { $0 < $1 }
            .map { "\($0.0)=\($0.1)" }
            .joined(separator: "&")
    }
}
