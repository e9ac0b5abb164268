/// Where a piece of work stands in a trace (W3C Trace Context, section 3.2).
package struct TraceContext: Sendable, Hashable {
    /// 16 bytes, never all 0.
    package let trace: (high: UInt64, low: UInt64)
    /// The span that asked for the work; never 0.
    package let span: UInt64
    /// Whether whoever began the trace records it.
    package let isSampled: Bool

    /// That of the request that is being answered, or of the job that runs.
    @TaskLocal package static var current: TraceContext?

    package init?(trace: (high: UInt64, low: UInt64), span: UInt64, isSampled: Bool = true) {
        guard trace.high | trace.low != 0, span != 0 else { return nil }
        (self.trace, self.span, self.isSampled) = (trace, span, isSampled)
    }

    /// Reads a `traceparent`; `nil` for what is none, as the standard asks: such a header is ignored.
    package init?(traceparent text: some StringProtocol) {
        let parts = Substring(text).utf8.split(
            separator: UInt8(ascii: "-"), maxSplits: 4, omittingEmptySubsequences: false)
        guard text.utf8.count >= 55, text.utf8.count <= 512, parts.count >= 4,
            parts.prefix(4).map(\.count) == [2, 32, 16, 2],
            let version = Self.number(parts[0]), version != 0xFF, version != 0 || parts.count == 4,
            let high = Self.number(parts[1].prefix(16)), let low = Self.number(parts[1].suffix(16)),
            let span = Self.number(parts[2]), let flags = Self.number(parts[3])
        else { return nil }
        self.init(trace: (high, low), span: span, isSampled: flags & 1 == 1)
    }

    /// Lower-case hexadecimal only.
    private static func number(_ text: Substring.UTF8View.SubSequence) -> UInt64? {
        var value: UInt64 = 0
        for byte in text {
            switch byte {
            case 0x30...0x39: value = value << 4 | UInt64(byte - 0x30)
            case 0x61...0x66: value = value << 4 | UInt64(byte - 0x61 + 10)
            default: return nil
            }
        }
        return value
    }

    /// As a header of a request, and as the variable `TRACEPARENT`.
    package var traceparent: String { "00-\(traceText)-\(Self.hexadecimal(span))-\(isSampled ? "01" : "00")" }

    /// The header that makes what a request causes part of the current trace (W3C Trace Context, section 3.2); none outside of one.
    package static var outgoing: [(name: String, value: String)] {
        current.map { [("traceparent", $0.traceparent)] } ?? []
    }

    package var traceText: String { Self.hexadecimal(trace.high) + Self.hexadecimal(trace.low) }

    package static func hexadecimal(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }

    /// The same trace, for what that span asks for.
    package func within(_ span: UInt64) -> TraceContext {
        TraceContext(trace: trace, span: span, isSampled: isSampled) ?? self
    }

    package static func == (left: TraceContext, right: TraceContext) -> Bool {
        left.trace == right.trace && left.span == right.span && left.isSampled == right.isSampled
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(trace.high)
        hasher.combine(trace.low)
        hasher.combine(span)
        hasher.combine(isSampled)
    }
}

/// A piece of work with its begin and end, as a collector takes it.
package struct TraceSpan: Sendable, Hashable {
    package var context: TraceContext
    /// The span that asked for it; `nil` at the beginning of a trace.
    package var parent: UInt64?
    package var name: String
    package var start: Instant
    package var end: Instant
    package var attributes: [String: String]
    /// Why it failed; `nil` where it did not.
    package var failure: String?

    package init(
        context: TraceContext,
        parent: UInt64?,
        name: String,
        start: Instant,
        end: Instant,
        attributes: [String: String] = [:],
        failure: String? = nil
    ) {
        (self.context, self.parent, self.name, self.start, self.end) = (context, parent, name, start, end)
        (self.attributes, self.failure) = (attributes, failure)
    }
}

extension TraceContext {
    /// A number that is the same wherever it is asked for, never 0: spans of a job are found again after a crash without
    /// being kept anywhere (FNV-1a, 64 bits).
    package static func identifier(_ parts: String...) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in parts.joined(separator: "\u{0}").utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return hash == 0 ? 1 : hash
    }
}
