import Logging
import Model

/// One log record, and its two written forms.
struct LogRecord {
    let time: Instant
    let level: Logger.Level
    let label: String
    let message: String
    let metadata: Logger.Metadata

    /// One line for people, ended by a line feed.
    func text(colors: Bool) -> String {
        let name = level.rawValue + String(repeating: " ", count: max(0, 8 - level.rawValue.utf8.count))
        var line = time.rfc3339(fractionDigits: 3) + " "
        line += colors ? "\u{1B}[\(color)m\(name)\u{1B}[0m" : name
        line += " \(Self.escaped(label)): \(Self.escaped(message))"
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            let pair = "\(Self.escaped(key))=\(Self.quoted(value.description))"
            line += colors ? " \u{1B}[2m\(pair)\u{1B}[0m" : " \(pair)"
        }
        return line + "\n"
    }

    /// One JSON object, ended by a line feed.
    func json() -> [UInt8] {
        var object: JSONObject = [
            "time": .string(time.rfc3339(fractionDigits: 3)),
            "level": .string(level.rawValue),
            "logger": .string(label),
            "message": .string(message),
        ]
        if !metadata.isEmpty { object["metadata"] = Self.json(.dictionary(metadata)) }
        return JSONValue.object(object).bytes() + [UInt8(ascii: "\n")]
    }

    private static func json(_ value: Logger.MetadataValue) -> JSONValue {
        switch value {
        case .string(let text): .string(text)
        case .stringConvertible(let value): .string(value.description)
        case .array(let values): .array(values.map(json))
        case .dictionary(let members):
            .object(JSONObject(members.sorted { $0.key < $1.key }.map { ($0.key, json($0.value)) }))
        }
    }

    /// The SGR code of the level (ECMA-48 section 8.3.117).
    private var color: String {
        switch level {
        case .trace, .debug: "2"
        case .info: "32"
        case .notice: "36"
        case .warning: "33"
        case .error: "31"
        case .critical: "1;31"
        }
    }

    private static func isPlain(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0..<0x20, 0x7F...0x9F, 0x2028, 0x2029: false
        default: true
        }
    }

    /// The text with control characters and line ends made visible.
    private static func escaped(_ text: String) -> String {
        guard !text.unicodeScalars.allSatisfy(isPlain) else { return text }
        var out = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": out += "\\n"
            case "\r": out += "\\r"
            case "\t": out += "\\t"
            case _ where !isPlain(scalar): out += "\\u{\(String(scalar.value, radix: 16))}"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }

    /// The text as it is, or in double quotes where it is empty or holds spaces, quotes or an equals sign.
    private static func quoted(_ text: String) -> String {
        let isBare =
            !text.isEmpty
            && text.unicodeScalars.allSatisfy { $0 != " " && $0 != "\"" && $0 != "=" && isPlain($0) }
        guard !isBare else { return text }
        var out = ""
        for scalar in text.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { out += "\\" }
            out.unicodeScalars.append(scalar)
        }
        return "\"\(escaped(out))\""
    }
}
