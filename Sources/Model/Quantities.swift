/// A number of bytes, never negative.
package struct ByteCount: Sendable, Hashable, Comparable {
    package let bytes: Int64

    package init(_ bytes: Int64) { self.bytes = max(0, bytes) }

    package static func mebibytes(_ count: Int64) -> ByteCount { ByteCount(count << 20) }

    package static let zero = ByteCount(0)

    package static func < (left: ByteCount, right: ByteCount) -> Bool { left.bytes < right.bytes }
    package static func + (left: ByteCount, right: ByteCount) -> ByteCount {
        ByteCount(left.bytes.saturatingSum(with: right.bytes))
    }
    package static func - (left: ByteCount, right: ByteCount) -> ByteCount {
        ByteCount(left.bytes - right.bytes)
    }
}

extension ByteCount: CustomStringConvertible {
    /// For people: one decimal, binary units (IEC 80000-13), for example `1.5 MiB`.
    package var description: String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        var value = Double(bytes)
        var unit = 0
        // What would be rounded up to 1024 of a unit is written in the next one.
        while (value * 10).rounded() >= 10_240, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        let tenths = Int64((value * 10).rounded())
        return tenths % 10 == 0
            ? "\(tenths / 10) \(units[unit])" : "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
}

/// Processor time per time, in thousandths of one core, never negative.
package struct MilliCPU: Sendable, Hashable, Comparable {
    package let thousandths: Int64

    package init(_ thousandths: Int64) { self.thousandths = max(0, thousandths) }

    package static let zero = MilliCPU(0)

    package static func < (left: MilliCPU, right: MilliCPU) -> Bool { left.thousandths < right.thousandths }
    package static func + (left: MilliCPU, right: MilliCPU) -> MilliCPU {
        MilliCPU(left.thousandths.saturatingSum(with: right.thousandths))
    }
    package static func - (left: MilliCPU, right: MilliCPU) -> MilliCPU {
        MilliCPU(left.thousandths - right.thousandths)
    }
}

extension MilliCPU: CustomStringConvertible {
    /// For people, in cores: `0.2`, `1`, `1.25`.
    package var description: String {
        let (whole, rest) = thousandths.quotientAndRemainder(dividingBy: 1000)
        guard rest != 0 else { return "\(whole)" }
        var digits = String(String(1000 + rest).dropFirst())
        while digits.hasSuffix("0") { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}
