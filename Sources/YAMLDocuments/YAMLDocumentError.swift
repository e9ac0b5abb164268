/// Why a text is not a YAML document that this program reads.
package struct YAMLDocumentError: Error, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// The text does not follow YAML's grammar, or holds more than one document.
        case malformed
        /// A map has a key twice.
        case duplicateKey
        /// It is YAML, but nothing that JSON can say: a list as a key, for example.
        case unsupported
        /// Nested deeper than `JSONValue.maximumDepth`.
        case tooDeep
        /// Longer than `YAMLDocument.maximumLength`, or more than that once aliases are replaced by what they
        /// stand for.
        case tooLarge
    }

    package let code: Code
    /// What is wrong, without the place.
    package let problem: String
    /// From 1; `nil` where the whole text is meant.
    package let line: Int?
    /// From 1, in Unicode scalars.
    package let column: Int?
    /// What Yams said.
    package let cause: (any Error)?

    init(_ code: Code, _ problem: String, line: Int? = nil, column: Int? = nil, cause: (any Error)? = nil) {
        self.code = code
        self.problem = problem
        self.line = line
        self.column = column
        self.cause = cause
    }

    package var message: String {
        guard let line else { return problem }
        guard let column else { return "line \(line): \(problem)" }
        return "line \(line), column \(column): \(problem)"
    }

    package var description: String { message }
}
