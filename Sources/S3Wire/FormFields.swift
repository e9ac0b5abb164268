/// The fields of a form before its file.
package struct FormFields: Sendable, Hashable {
    package struct Field: Sendable, Hashable {
        /// In lower case.
        package let name: String
        package let value: String
    }

    /// In the order in which they came.
    package private(set) var all: [Field] = []
    /// How the client calls the file; empty where it does not say.
    package var fileName = ""

    package init() {}

    package var count: Int { all.count }

    /// The first value of a field; the name is given in lower case.
    package subscript(_ name: String) -> String? { all.first { $0.name == name }?.value }

    package mutating func append(_ name: String, _ value: String) {
        all.append(Field(name: name.lowercased(), value: value))
    }
}

/// A header with parameters, as `form-data; name="a"`.
struct HeaderParameters {
    /// What stands before the parameters.
    let value: String
    private var parameters: [(name: String, value: String)] = []

    init(_ text: some StringProtocol) {
        var rest = Substring(text).utf8[...]
        value = Self.trimmed(rest.prefix { $0 != UInt8(ascii: ";") })
        rest = rest.drop { $0 != UInt8(ascii: ";") }
        while rest.first == UInt8(ascii: ";") {
            rest = rest.dropFirst()
            let name = rest.prefix { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";") }
            rest = rest.dropFirst(name.count)
            guard rest.first == UInt8(ascii: "=") else { continue }
            rest = rest.dropFirst()
            parameters.append((Self.trimmed(name).lowercased(), Self.takeValue(&rest)))
        }
    }

    /// The first value of a parameter; the name is given in lower case.
    subscript(_ name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// Within quotation marks only these are escaped: browsers send the backslashes of paths as they are.
    private static func takeValue(_ rest: inout Substring.UTF8View) -> String {
        guard rest.first == UInt8(ascii: "\"") else {
            let value = rest.prefix { $0 != UInt8(ascii: ";") }
            rest = rest.dropFirst(value.count)
            return trimmed(value)
        }
        rest = rest.dropFirst()
        var bytes: [UInt8] = []
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { break }
            if byte == UInt8(ascii: "\\"), rest.first == UInt8(ascii: "\"") {
                bytes.append(UInt8(ascii: "\""))
                rest = rest.dropFirst()
            } else {
                bytes.append(byte)
            }
        }
        rest = rest.drop { $0 != UInt8(ascii: ";") }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func trimmed(_ bytes: Substring.UTF8View) -> String {
        var rest = bytes
        while rest.first == 0x20 || rest.first == 0x09 { rest.removeFirst() }
        while rest.last == 0x20 || rest.last == 0x09 { rest.removeLast() }
        return String(Substring(rest))
    }
}

/// The head of one part of a form.
struct PartHead {
    /// `nil` where it has none.
    private(set) var name: String?
    private(set) var fileName: String?

    /// - Throws: `S3Error` with `malformedPOSTRequest`.
    init(lines: ArraySlice<UInt8>) throws(S3Error) {
        guard let text = String(validating: lines, as: UTF8.self) else { throw S3Error(.malformedPOSTRequest) }
        for line in text.utf8.split(whereSeparator: { $0 == 0x0D || $0 == 0x0A }) {
            let field = line.prefix { $0 != UInt8(ascii: ":") }
            guard field.count < line.count else { throw S3Error(.malformedPOSTRequest) }
            guard Substring(field).lowercased() == "content-disposition" else { continue }
            let disposition = HeaderParameters(Substring(line.dropFirst(field.count + 1)))
            guard disposition.value.lowercased() == "form-data" else { throw S3Error(.malformedPOSTRequest) }
            (name, fileName) = (disposition["name"], disposition["filename"])
        }
    }
}
