/// Why a text is not the definition of a service.
package struct ServiceSpecificationError: Error, Hashable, CustomStringConvertible {
    package enum Code: Sendable, Hashable {
        /// A required field is missing or empty.
        case missing
        /// A field has another JSON type than it must have.
        case wrongType
        /// A field has the right type and a value that is not allowed.
        case invalid
        /// An input or output names a storage provider that is not defined.
        case undefinedProvider
    }

    package let code: Code
    /// The field, from the top of the definition: `cpu`, `input[0].path`.
    ///
    /// Empty where it is the definition itself.
    package let field: String
    /// What is wrong, without the field's name.
    package let problem: String
    /// The whole text for the client, in OSCAR's words where OSCAR has some.
    package let message: String

    package init(_ code: Code, field: String, _ problem: String, message: String? = nil) {
        self.code = code
        self.field = field
        self.problem = problem
        self.message =
            message
            ?? "The service specification is not valid: \(field.isEmpty ? problem : "\(field): \(problem)")"
    }

    package var description: String { message }
}
