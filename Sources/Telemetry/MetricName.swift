/// Names and labels as the Prometheus text format allows them (exposition formats 0.0.4, "Comments, help
/// text, and type information").
package enum MetricName {
    /// How long a label's value may be, in bytes of UTF-8; the rest is cut off.
    package static let maximumLabelValueLength = 200

    /// `name` with every character outside `[a-zA-Z0-9_:]` made `_`, and `_` before a leading digit.
    package static func sanitized(_ name: String) -> String { sanitized(name, allowsColon: true) }

    /// As `sanitized(_:)`, without colons; names that Prometheus reserves (`le`, `quantile`, `__…`) get
    /// `exported_` before.
    package static func sanitizedLabel(_ name: String) -> String {
        let label = sanitized(name, allowsColon: false)
        let isReserved = label == "le" || label == "quantile" || label.hasPrefix("__")
        return isReserved ? "exported_" + label : label
    }

    private static func sanitized(_ name: String, allowsColon: Bool) -> String {
        var bytes: [UInt8] = []
        for scalar in name.unicodeScalars {
            switch scalar {
            case "a"..."z", "A"..."Z", "_": bytes.append(UInt8(ascii: scalar))
            case ":" where allowsColon: bytes.append(UInt8(ascii: scalar))
            case "0"..."9":
                if bytes.isEmpty { bytes.append(UInt8(ascii: "_")) }
                bytes.append(UInt8(ascii: scalar))
            default: bytes.append(UInt8(ascii: "_"))
            }
        }
        return bytes.isEmpty ? "_" : String(decoding: bytes, as: UTF8.self)
    }
}

/// A set of labels, sorted by name: what tells the series of one metric apart.
struct LabelSet: Hashable, Comparable {
    /// The labels as they stand between the braces, escaped: `method="GET",status="200"`; empty where there
    /// are none.
    let text: String

    /// The set that takes what comes after a metric has as many series as it may have.
    static let overflow = LabelSet([("overflow", "true")])

    /// A name that is given twice keeps its last value.
    init(_ labels: [(String, String)]) {
        guard !labels.isEmpty else {
            text = ""
            return
        }
        var values: [String: String] = [:]
        for (name, value) in labels { values[MetricName.sanitizedLabel(name)] = value }
        text = values.sorted { $0.key < $1.key }
            .map { "\($0.key)=\"\(Self.escaped(Self.bounded($0.value)))\"" }
            .joined(separator: ",")
    }

    static func < (left: LabelSet, right: LabelSet) -> Bool { left.text < right.text }

    private static func bounded(_ value: String) -> String {
        guard value.utf8.count > MetricName.maximumLabelValueLength else { return value }
        var cut = String.UnicodeScalarView()
        var length = 0
        for scalar in value.unicodeScalars {
            length += UTF8.width(scalar)
            guard length <= MetricName.maximumLabelValueLength else { break }
            cut.append(scalar)
        }
        return String(cut)
    }

    private static func escaped(_ value: String) -> String {
        guard value.utf8.contains(where: { $0 == 0x5C || $0 == 0x22 || $0 == 0x0A }) else { return value }
        var out = String.UnicodeScalarView()
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\\": out.append(contentsOf: "\\\\".unicodeScalars)
            case "\"": out.append(contentsOf: "\\\"".unicodeScalars)
            case "\n": out.append(contentsOf: "\\n".unicodeScalars)
            default: out.append(scalar)
            }
        }
        return String(out)
    }
}
