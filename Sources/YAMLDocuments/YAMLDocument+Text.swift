package import Model
import Yams

extension YAMLDocument {
    /// The value as a YAML document in block style: keys in their order, texts with several lines as literal
    /// blocks, and quotation marks wherever a reader of any version of YAML might take a text for something
    /// else.
    package static func text(of value: JSONValue) -> String {
        do {
            return try serialize(node: node(value), width: -1, allowUnicode: true)
        } catch {
            // Yams fails only for want of memory; JSON is YAML too.
            return value.prettyText() + "\n"
        }
    }

    private static func node(_ value: JSONValue) -> Node {
        switch value {
        case .null: return scalar("null", .plain)
        case .bool(let value): return scalar(value ? "true" : "false", .plain)
        case .number(let text): return scalar(text, .plain)
        case .string(let text): return scalar(text, style(for: text))
        case .array(let elements):
            let style: Node.Sequence.Style = elements.isEmpty ? .flow : .block
            return .sequence(Node.Sequence(elements.map(node), Tag(.implicit, .basic), style))
        case .object(let object):
            let style: Node.Mapping.Style = object.isEmpty ? .flow : .block
            let pairs = object.members.map { (scalar($0.key, keyStyle(for: $0.key)), node($0.value)) }
            return .mapping(Node.Mapping(pairs, Tag(.implicit, .basic), style))
        }
    }

    private static func scalar(_ text: String, _ style: Node.Scalar.Style) -> Node {
        .scalar(Node.Scalar(text, Tag(.implicit, .basic), style))
    }

    private static func style(for text: String) -> Node.Scalar.Style {
        if text.utf8.contains(0x0A) { return isFitForBlock(text) ? .literal : .doubleQuoted }
        return keyStyle(for: text)
    }

    private static func keyStyle(for text: String) -> Node.Scalar.Style {
        PlainScalar.isAmbiguous(text) || !isPrintable(text) ? .doubleQuoted : .any
    }

    /// Whether a literal block gives the text back byte by byte in every reader.
    private static func isFitForBlock(_ text: String) -> Bool {
        guard let first = text.utf8.first, first != 0x0A, first != 0x20, isPrintable(text) else {
            return false
        }
        return !text.contains(" \n") && !text.hasSuffix(" ")
    }

    /// Whether all characters are such that YAML readers take them as they are: no control characters but
    /// line feeds, and none of Unicode's other line ends and marks.
    private static func isPrintable(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.value {
            case 0x0A: true
            case 0..<0x20, 0x7F...0xA0, 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF: false
            default: true
            }
        }
    }
}
