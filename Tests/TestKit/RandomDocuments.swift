package import Model

extension JSONValue {
    package static func random(using generator: inout SeededGenerator, depth: Int = 0) -> JSONValue {
        switch Int.random(in: 0..<(depth > 4 ? 4 : 6), using: &generator) {
        case 0: .null
        case 1: .bool(Bool.random(using: &generator))
        case 2: .number(randomNumber(using: &generator))
        case 3: .string(randomText(using: &generator))
        case 4:
            .array(
                (0..<Int.random(in: 0..<5, using: &generator)).map { _ in
                    random(using: &generator, depth: depth + 1)
                }
            )
        default:
            .object(
                JSONObject(
                    (0..<Int.random(in: 0..<5, using: &generator)).map { _ in
                        (randomText(using: &generator), random(using: &generator, depth: depth + 1))
                    }
                )
            )
        }
    }

    package static func randomNumber(using generator: inout SeededGenerator) -> String {
        let whole = Int64.random(in: -1_000_000...1_000_000, using: &generator)
        switch Int.random(in: 0..<4, using: &generator) {
        case 0: return "\(whole)"
        case 1: return "\(whole).\(Int.random(in: 0..<1000, using: &generator))"
        case 2: return "\(whole)e\(Int.random(in: -30..<30, using: &generator))"
        default: return "\(Int64.random(in: .min ... .max, using: &generator))"
        }
    }

    package static func randomText(using generator: inout SeededGenerator) -> String {
        let alphabet: [Unicode.Scalar] = [
            "a", "Z", "0", " ", "\n", "\r", "\t", "\"", "\\", "/", "<", ">", "&", "\u{0}", "\u{1F}", "\u{7F}",
            "\u{85}",
            "é", "e", "\u{301}", "\u{2028}", "\u{2029}", "\u{FFFD}", "\u{1F426}", "日", ":", "#",
            "-", "{", "[",
            "'", "~", "%", "@", "*", "!", "|",
        ]
        var text = ""
        for _ in 0..<Int.random(in: 0..<12, using: &generator) {
            text.unicodeScalars.append(alphabet.randomElement(using: &generator) ?? "x")
        }
        return text
    }
}
