/// A JSON document (RFC 8259) that keeps the order of object keys and the text of numbers.
///
/// OSCAR's clients compare response texts, so the order of keys matters; numbers keep their spelling so that
/// an event passes through unchanged.
package enum JSONValue: Sendable, Hashable {
    case null
    case bool(Bool)
    /// The number as written, for example `1.50` or `1e3`.
    case number(String)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)

    package static func integer(_ value: some BinaryInteger) -> JSONValue { .number(String(value)) }

    /// A number; infinities and NaN, which JSON cannot carry, become `null`.
    package static func double(_ value: Double) -> JSONValue {
        guard value.isFinite else { return .null }
        if value == value.rounded(), value.magnitude < 1e15 { return .number(String(Int64(value))) }
        return .number("\(value)")
    }

    package static func strings(_ values: some Sequence<String>) -> JSONValue {
        .array(values.map(JSONValue.string))
    }

    /// A map of strings with its keys sorted, as Go writes maps.
    package static func map(_ values: [String: String]) -> JSONValue {
        .object(JSONObject(values.sorted { $0.key < $1.key }.map { ($0.key, .string($0.value)) }))
    }

    package var stringValue: String? {
        guard case .string(let value) = self else { return nil }
        return value
    }

    package var boolValue: Bool? {
        guard case .bool(let value) = self else { return nil }
        return value
    }

    /// The number as an integer; `nil` for anything else and for numbers with a fraction or out of range.
    package var integerValue: Int64? {
        guard case .number(let text) = self else { return nil }
        if let value = Int64(text) { return value }
        guard let value = Double(text), value == value.rounded(), value.magnitude < 9e15 else { return nil }
        return Int64(value)
    }

    package var doubleValue: Double? {
        guard case .number(let text) = self else { return nil }
        return Double(text)
    }

    package var arrayValue: [JSONValue]? {
        guard case .array(let value) = self else { return nil }
        return value
    }

    package var objectValue: JSONObject? {
        guard case .object(let value) = self else { return nil }
        return value
    }

    package var isNull: Bool { self == .null }

    /// The member of that name, where this is an object that has one (exact spelling).
    package subscript(_ key: String) -> JSONValue? { objectValue?[key] }

    /// The element at that place, where this is an array that has one.
    package subscript(_ index: Int) -> JSONValue? {
        guard let array = arrayValue, array.indices.contains(index) else { return nil }
        return array[index]
    }

    /// What kind of value this is, in the words of RFC 8259, for messages to people.
    package var kind: String {
        switch self {
        case .null: "null"
        case .bool: "boolean"
        case .number: "number"
        case .string: "string"
        case .array: "array"
        case .object: "object"
        }
    }
}

/// The members of a JSON object, in order.
///
/// A key that is set twice keeps its first place and its last value. Keys are the same where their bytes are.
package struct JSONObject: Sendable, Hashable, ExpressibleByDictionaryLiteral {
    package private(set) var keys: [String] = []
    private var values: [ExactText: JSONValue] = [:]

    package init() {}

    package init(_ members: some Sequence<(String, JSONValue)>) {
        for (key, value) in members { self[key] = value }
    }

    package init(dictionaryLiteral elements: (String, JSONValue)...) { self.init(elements) }

    package var count: Int { keys.count }
    package var isEmpty: Bool { keys.isEmpty }
    package var members: [(key: String, value: JSONValue)] {
        keys.map { ($0, values[ExactText($0)] ?? .null) }
    }

    package subscript(_ key: String) -> JSONValue? {
        get { values[ExactText(key)] }
        set {
            let exact = ExactText(key)
            guard let newValue else {
                if values.removeValue(forKey: exact) != nil { keys.removeAll { ExactText($0) == exact } }
                return
            }
            if values.updateValue(newValue, forKey: exact) == nil { keys.append(key) }
        }
    }

    /// The member of that name; failing an exact match, one that differs only in the case of ASCII letters,
    /// as Go's `encoding/json` matches keys.
    package func value(ignoringCase key: String) -> JSONValue? {
        if let exact = self[key] { return exact }
        let wanted = key.lowercased()
        return keys.first { $0.lowercased() == wanted }.flatMap { self[$0] }
    }

    package static func == (left: JSONObject, right: JSONObject) -> Bool {
        left.keys == right.keys && left.values == right.values
    }
}
