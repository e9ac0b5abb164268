/// Reads typed fields from a JSON object as Go's `encoding/json` would: keys match in any case, unknown keys
/// are ignored, `null` is the same as nothing, and a wrong type is an error that names the field.
struct FieldReader {
    typealias Failure = ServiceSpecificationError

    /// Where the object is in the document; empty at the top.
    let path: String
    private let exact: JSONObject
    private let folded: [String: JSONValue]

    init(_ value: JSONValue, path: String = "") throws(Failure) {
        guard let object = value.objectValue else {
            throw Failure(.wrongType, field: path, "must be an object, not \(value.kindWithArticle)")
        }
        self.path = path
        exact = object
        folded = Dictionary(object.members.map { ($0.key.lowercased(), $0.value) }) { first, _ in first }
    }

    func field(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

    /// The value, where there is one other than `null`.
    func value(_ key: String) -> JSONValue? {
        guard let value = exact[key] ?? folded[key.lowercased()], !value.isNull else { return nil }
        return value
    }

    func string(_ key: String, default fallback: String = "") throws(Failure) -> String {
        guard let value = value(key) else { return fallback }
        guard let text = value.stringValue else { throw wrongType(key, "a string", value) }
        return text
    }

    /// A string, or a number or truth value that was meant as one: in YAML a password may look like a number.
    func text(_ key: String) throws(Failure) -> String {
        guard let value = value(key) else { return "" }
        guard let text = value.scalarText else { throw wrongType(key, "a string", value) }
        return text
    }

    func bool(_ key: String, default fallback: Bool = false) throws(Failure) -> Bool {
        guard let value = value(key) else { return fallback }
        guard let flag = value.boolValue else { throw wrongType(key, "true or false", value) }
        return flag
    }

    /// A whole number from 0 to 2^31 - 1.
    func count(_ key: String, default fallback: Int = 0) throws(Failure) -> Int {
        guard let value = value(key) else { return fallback }
        return try Self.count(value, field: field(key))
    }

    /// One number or a list of them.
    ///
    /// Nothing, 0 and `[]` are no numbers; so is a list that begins with 0.
    func counts(_ key: String, dropsLeadingZero: Bool = true) throws(Failure) -> [Int] {
        guard let value = value(key) else { return [] }
        var numbers: [Int] = []
        for (index, element) in (value.arrayValue ?? [value]).enumerated() {
            let place = value.arrayValue == nil ? field(key) : "\(field(key))[\(index)]"
            numbers.append(try Self.count(element, field: place))
        }
        let isUnset = dropsLeadingZero ? numbers.first == 0 : numbers.allSatisfy { $0 == 0 }
        return isUnset ? [] : numbers
    }

    /// One string or a list of strings; `null` elements are skipped.
    func strings(_ key: String) throws(Failure) -> [String] {
        guard let value = value(key) else { return [] }
        if let text = value.stringValue { return text.isEmpty ? [] : [text] }
        guard let elements = value.arrayValue else { throw wrongType(key, "a list of strings", value) }
        var texts: [String] = []
        for (index, element) in elements.enumerated() where !element.isNull {
            guard let text = element.scalarText else {
                throw Failure(
                    .wrongType,
                    field: "\(field(key))[\(index)]",
                    "must be a string, not \(element.kindWithArticle)"
                )
            }
            texts.append(text)
        }
        return texts
    }

    /// A map of strings; numbers and truth values are taken as their text, `null` as the empty string.
    func stringMap(_ key: String) throws(Failure) -> [String: String] {
        guard let value = value(key) else { return [:] }
        guard let object = value.objectValue else { throw wrongType(key, "a map of strings", value) }
        var map: [String: String] = [:]
        for (name, member) in object.members {
            guard let text = member.isNull ? "" : member.scalarText else {
                throw Failure(
                    .wrongType,
                    field: "\(field(key)).\(name)",
                    "must be a string, not \(member.kindWithArticle)"
                )
            }
            map[name] = text
        }
        return map
    }

    /// A quantity, written as a string or as a number; `nil` where it is missing or empty.
    func quantity(_ key: String) throws(Failure) -> Quantity? {
        guard let value = value(key) else { return nil }
        let text: String
        switch value {
        case .string(let string): text = string.trimmingWhiteSpace()
        case .number(let number): text = number
        case .null, .bool, .array, .object:
            throw wrongType(key, "a quantity such as \"0.5\" or \"256Mi\"", value)
        }
        guard !text.isEmpty else { return nil }
        do {
            return try Quantity(text)
        } catch {
            throw invalid(key, error.message)
        }
    }

    /// The object of that name as a reader; `nil` where it is missing.
    func object(_ key: String) throws(Failure) -> FieldReader? {
        guard let value = value(key) else { return nil }
        return try FieldReader(value, path: field(key))
    }

    /// The objects in a list, or one object without a list.
    func objects(_ key: String) throws(Failure) -> [FieldReader] {
        guard let value = value(key) else { return [] }
        if value.objectValue != nil { return [try FieldReader(value, path: field(key))] }
        guard let elements = value.arrayValue else { throw wrongType(key, "a list", value) }
        var readers: [FieldReader] = []
        for (index, element) in elements.enumerated() where !element.isNull {
            readers.append(try FieldReader(element, path: "\(field(key))[\(index)]"))
        }
        return readers
    }

    /// The objects in a map, by name; `null` members are skipped.
    func objectMap(_ key: String) throws(Failure) -> [(name: String, reader: FieldReader)] {
        guard let value = value(key) else { return [] }
        guard let object = value.objectValue else { throw wrongType(key, "an object", value) }
        var readers: [(name: String, reader: FieldReader)] = []
        for (name, member) in object.members where !member.isNull {
            readers.append((name, try FieldReader(member, path: "\(field(key)).\(name)")))
        }
        return readers
    }

    func invalid(_ key: String, _ problem: String) -> Failure {
        Failure(.invalid, field: field(key), problem)
    }

    func wrongType(_ key: String, _ wanted: String, _ value: JSONValue) -> Failure {
        Failure(.wrongType, field: field(key), "must be \(wanted), not \(value.kindWithArticle)")
    }

    private static func count(_ value: JSONValue, field: String) throws(Failure) -> Int {
        guard case .number = value else {
            throw Failure(.wrongType, field: field, "must be a whole number, not \(value.kindWithArticle)")
        }
        guard let number = value.integerValue, (0...Int64(Int32.max)).contains(number) else {
            throw Failure(.invalid, field: field, "must be a whole number from 0 to \(Int32.max)")
        }
        return Int(number)
    }
}

extension JSONValue {
    /// The text of a string, number or truth value.
    var scalarText: String? {
        switch self {
        case .string(let text), .number(let text): text
        case .bool(let value): value ? "true" : "false"
        case .null, .array, .object: nil
        }
    }

    /// The kind with its article, for messages to people.
    var kindWithArticle: String {
        switch self {
        case .null: kind
        case .array, .object: "an \(kind)"
        case .bool, .number, .string: "a \(kind)"
        }
    }
}

extension StringProtocol {
    /// Without white space at its ends.
    func trimmingWhiteSpace() -> String { trimming { $0.isWhitespace } }

    func trimming(_ isDropped: (Character) -> Bool) -> String {
        let head = drop(while: isDropped)
        guard let last = head.lastIndex(where: { !isDropped($0) }) else { return "" }
        return String(head[...last])
    }
}
