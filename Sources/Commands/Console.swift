/// Writes to the standard streams of the current surroundings.
enum Console {
    /// Prints a line on the standard output.
    ///
    /// - Throws: `outputClosed`.
    static func say(_ text: String) throws(CommandError) { try write(text + "\n") }

    /// Prints a text on the standard output as it is.
    ///
    /// - Throws: `outputClosed`.
    static func write(_ text: String) throws(CommandError) {
        try Surroundings.current.write(.output, Array(text.utf8))
    }

    /// Prints a line on the standard error.
    ///
    /// If nobody reads it, there is nobody to tell.
    static func complain(_ text: String) {
        try? Surroundings.current.write(.error, Array((Text.printable(text, keepsLines: true) + "\n").utf8))
    }
}

/// Colours of a terminal (ECMA-48, SGR).
enum Style: String {
    case bold = "1"
    case red = "31"
    case green = "32"
    case yellow = "33"
    case cyan = "36"

    /// The text in that colour, where the surroundings want colours.
    func callAsFunction(_ text: String) -> String {
        Surroundings.current.usesColour ? "\u{1B}[\(rawValue)m\(text)\u{1B}[0m" : text
    }
}

/// Texts that came from elsewhere, made fit for a terminal.
enum Text {
    /// The text with control characters replaced, so that a name cannot move the cursor or fake a line.
    ///
    /// - Parameter keepsLines: whether line ends and tabs stay.
    static func printable(_ text: String, keepsLines: Bool = false) -> String {
        func isControl(_ scalar: Unicode.Scalar) -> Bool {
            if keepsLines, scalar == "\n" || scalar == "\t" { return false }
            switch scalar.value {
            // C0 and C1 controls, and the marks that turn the direction of writing.
            case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069: return true
            default: return false
            }
        }
        guard text.unicodeScalars.contains(where: isControl) else { return text }
        var out = String.UnicodeScalarView()
        for scalar in text.unicodeScalars { out.append(isControl(scalar) ? "\u{FFFD}" : scalar) }
        return String(out)
    }

    /// How many columns a terminal gives the text: two for the wide characters of East Asian scripts and for emoji.
    static func width(_ text: String) -> Int {
        text.reduce(0) { width, character in
            guard let scalar = character.unicodeScalars.first else { return width }
            return width + (isWide(scalar) ? 2 : 1)
        }
    }

    /// The main ranges of `East_Asian_Width=Wide` (Unicode Standard Annex 11).
    private static func isWide(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x1100...0x115F, 0x2E80...0x303E, 0x3041...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F,
            0xFF00...0xFF60, 0xFFE0...0xFFE6, 0x1F300...0x1F64F, 0x1F900...0x1F9FF, 0x20000...0x3FFFD:
            true
        default: false
        }
    }

    /// The text with spaces up to a width, at its end or, for numbers, before it.
    static func padded(_ text: String, to width: Int, right: Bool = false) -> String {
        let spaces = String(repeating: " ", count: max(0, width - Self.width(text)))
        return right ? spaces + text : text + spaces
    }
}
