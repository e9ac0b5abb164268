/// The Prometheus text exposition format 0.0.4, as it is written.
struct ExpositionText {
    private(set) var text = ""

    init() { text.reserveCapacity(16_384) }

    /// Appends the two lines that go before a metric's samples; no HELP line where there is no help.
    mutating func header(_ name: String, kind: MetricKind, help: String?) {
        if let help { text += "# HELP \(name) \(Self.escapedHelp(help))\n" }
        text += "# TYPE \(name) \(kind.rawValue)\n"
    }

    /// Appends one sample.
    ///
    /// `labels` is what stands between the braces, escaped; empty for none.
    mutating func sample(_ name: String, labels: String, value: Double) {
        text += name
        if !labels.isEmpty { text += "{\(labels)}" }
        text += " \(Self.number(value))\n"
    }

    /// The number as Go's `ParseFloat` reads it; whole numbers without a fraction.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if value == value.rounded(), value.magnitude < 0x1p53 { return String(Int64(value)) }
        return "\(value)"
    }

    private static func escapedHelp(_ help: String) -> String {
        var out = ""
        for scalar in help.unicodeScalars {
            switch scalar {
            case "\\": out += "\\\\"
            case "\n": out += "\\n"
            default: out.unicodeScalars.append(scalar)
            }
        }
        return out
    }
}

/// The kinds of metric that the text format knows and Apus uses.
package enum MetricKind: String, Sendable {
    case counter, gauge, histogram
}
