/// An amount in the notation of Kubernetes (`resource.Quantity`): `0.5`, `500m`, `256Mi`, `1e3`.
///
/// The grammar is that of "k8s.io/apimachinery/pkg/api/resource": a decimal number with one suffix of `Ki Mi
/// Gi Ti Pi Ei` (powers of 1,024), `n u m k M G T P E` (powers of 1,000) or an exponent `e3`, `E-2`. Equal
/// quantities may be spelled differently; `==` compares spellings.
package struct Quantity: Sendable, CustomStringConvertible {
    /// As it was written.
    package let text: String
    private let digits: UInt64
    private let decimalExponent: Int
    private let binaryExponent: Int

    /// The longest text that is looked at, in bytes.
    package static let maximumLength = 64

    /// - Throws: `QuantityError` that says what is wrong with the text.
    package init(_ text: String) throws(QuantityError) {
        guard text.utf8.count <= Self.maximumLength else {
            throw QuantityError("a quantity may have at most \(Self.maximumLength) characters")
        }
        var scanner = QuantityScanner(text)
        guard let number = scanner.number() else {
            throw QuantityError(
                "\"\(text)\" is not a quantity: write a number, with a unit where needed, such as 0.5, 500m or 256Mi"
            )
        }
        guard !number.isNegative else { throw QuantityError("\"\(text)\" must not be negative") }
        guard let suffix = scanner.suffix() else {
            throw QuantityError(
                "\"\(text)\" ends in no unit that is known: Ki, Mi, Gi, Ti, Pi, Ei, n, u, m, k, M, G, T, P or E"
            )
        }
        guard let digits = number.digits else {
            throw QuantityError("\"\(text)\" has more digits than a quantity may have")
        }
        self.text = text
        self.digits = digits
        decimalExponent = suffix.decimal - number.fractionDigits
        binaryExponent = suffix.binary
    }

    /// A quantity that this program's text holds; nothing is checked.
    init(constant text: String, digits: UInt64, decimalExponent: Int = 0, binaryExponent: Int = 0) {
        self.text = text
        self.digits = digits
        self.decimalExponent = decimalExponent
        self.binaryExponent = binaryExponent
    }

    /// As whole bytes, rounded up.
    ///
    /// - Throws: `QuantityError` where it is too large for 63 bits.
    package func byteCount() throws(QuantityError) -> ByteCount { ByteCount(try scaled(by: 0)) }

    /// As thousandths of a processor core, rounded up.
    ///
    /// - Throws: `QuantityError` where it is too large for 63 bits.
    package func milliCPU() throws(QuantityError) -> MilliCPU { MilliCPU(try scaled(by: 3)) }

    package var isZero: Bool { digits == 0 }

    package var description: String { text }

    /// `digits * 2^binaryExponent * 10^(decimalExponent + extra)`, rounded up as Kubernetes' `Value` and
    /// `MilliValue` do.
    private func scaled(by extra: Int) throws(QuantityError) -> Int64 {
        guard digits > 0 else { return 0 }
        let tooLarge = QuantityError("\"\(text)\" is too large")
        var value = UInt128(digits) << UInt128(binaryExponent)
        let exponent = decimalExponent + extra
        guard exponent.magnitude <= 38 else {
            if exponent < 0 { return 1 }
            throw tooLarge
        }
        let power = (0..<exponent.magnitude).reduce(UInt128(1)) { power, _ in power * 10 }
        if exponent < 0 {
            value = value / power + (value % power == 0 ? 0 : 1)
        } else {
            let (product, overflow) = value.multipliedReportingOverflow(by: power)
            guard !overflow else { throw tooLarge }
            value = product
        }
        guard let result = Int64(exactly: value) else { throw tooLarge }
        return result
    }
}

extension Quantity: Hashable {
    package static func == (left: Quantity, right: Quantity) -> Bool { left.text == right.text }
    package func hash(into hasher: inout Hasher) { hasher.combine(text) }
}

/// Why a text is not a quantity.
package struct QuantityError: Error, Hashable, CustomStringConvertible {
    package let message: String
    package init(_ message: String) { self.message = message }
    package var description: String { message }
}

private struct QuantityScanner {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = text[...].utf8 }

    struct Number {
        var isNegative = false
        /// `nil` where the digits do not fit.
        var digits: UInt64? = 0
        var fractionDigits = 0
    }

    mutating func number() -> Number? {
        var number = Number()
        if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") {
            number.isNegative = rest.removeFirst() == UInt8(ascii: "-")
        }
        var count = 0
        var seenPoint = false
        while let byte = rest.first {
            if byte == UInt8(ascii: "."), !seenPoint {
                seenPoint = true
            } else if (0x30...0x39).contains(byte) {
                count += 1
                if seenPoint { number.fractionDigits += 1 }
                number.digits = Self.append(byte - 0x30, to: number.digits)
            } else {
                break
            }
            rest.removeFirst()
        }
        return count > 0 ? number : nil
    }

    private static func append(_ digit: UInt8, to digits: UInt64?) -> UInt64? {
        guard let digits else { return nil }
        let (product, overflow) = digits.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
        return overflow || carry ? nil : sum
    }

    mutating func suffix() -> (decimal: Int, binary: Int)? {
        let text = String(Substring(rest))
        if let decimal = Self.decimalUnits[text] { return (decimal, 0) }
        if let binary = Self.binaryUnits[text] { return (0, binary) }
        guard text.first == "e" || text.first == "E" else { return nil }
        // Int("+5") and Int("-5") are what is wanted; an exponent beyond a thousand is nonsense on any scale.
        guard let exponent = Int(text.dropFirst()), exponent.magnitude <= 1000 else { return nil }
        return (exponent, 0)
    }

    private static let decimalUnits = [
        "": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
    ]
    private static let binaryUnits = ["Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60]
}
