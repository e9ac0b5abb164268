extension Duration {
    /// Parses a duration: whole numbers with the units `ms`, `s`, `m`, `h` and `d`, largest unit first or
    /// not, or one whole number of seconds; `nil` for anything else and for what exceeds a thousand years.
    package init?(text: some StringProtocol) {
        let units: [String: Int64] = [
            "ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "": 1000,
        ]
        var rest = Substring(text)
        var milliseconds: Int64 = 0
        guard !rest.isEmpty else { return nil }
        var parts = 0
        while !rest.isEmpty {
            let digits = rest.prefix { $0.isASCII && $0.isNumber }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0.isASCII && $0.isLetter }
            rest = rest.dropFirst(unit.count)
            guard let number = Int64(digits), let factor = units[String(unit)],
                number <= 31_557_600_000_000 / factor
            else { return nil }
            parts += 1
            // A number without a unit stands alone.
            guard !unit.isEmpty || (parts == 1 && rest.isEmpty) else { return nil }
            milliseconds += number * factor
            guard milliseconds <= 31_557_600_000_000 else { return nil }
        }
        self = .milliseconds(milliseconds)
    }

    /// The duration in a form that `init(text:)` reads: whole seconds where it has no smaller part, else
    /// milliseconds, rounded down.
    package var shortText: String {
        let (seconds, attoseconds) = components
        let milliseconds = attoseconds / 1_000_000_000_000_000
        return milliseconds == 0 ? "\(seconds)s" : "\(seconds * 1000 + milliseconds)ms"
    }
}
