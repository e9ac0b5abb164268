/// A text of a policy, in which `*` stands for any characters, `?` for any one, and `${aws:username}` and the like for
/// a fact about the request (IAM user guide, "Policy variables and tags").
package struct WildcardPattern: Sendable, Hashable {
    private enum Element: Sendable, Hashable {
        case byte(UInt8)
        case one
        case any
        case fact(PolicyKey)
    }

    private let elements: [Element]
    /// Whether it names a fact.
    package let hasVariables: Bool

    /// A text in which `*` and `?` mean something, and nothing else.
    ///
    /// - Parameter hasSingle: false where `?` means nothing either.
    package init(literalDollars text: some StringProtocol, hasSingle: Bool = true) {
        elements = text.utf8.map { byte in
            switch byte {
            case UInt8(ascii: "*"): .any
            case UInt8(ascii: "?") where hasSingle: .one
            default: .byte(byte)
            }
        }
        hasVariables = false
    }

    /// A text in which nothing means anything else.
    init(exactly text: some StringProtocol) {
        elements = text.utf8.map(Element.byte)
        hasVariables = false
    }

    /// Whether there is one text alone that it matches.
    var isFixed: Bool { elements.allSatisfy { if case .byte = $0 { true } else { false } } }

    /// A text with variables; `nil` for a variable that is not known.
    ///
    /// - Parameter hasWildcards: whether `*` and `?` stand for others.
    init?(variablesIn text: some StringProtocol, hasWildcards: Bool) {
        var elements: [Element] = []
        var rest = Substring(text).utf8[...]
        while let byte = rest.first {
            rest = rest.dropFirst()
            guard byte == UInt8(ascii: "$"), rest.first == UInt8(ascii: "{") else {
                switch byte {
                case UInt8(ascii: "*") where hasWildcards: elements.append(.any)
                case UInt8(ascii: "?") where hasWildcards: elements.append(.one)
                default: elements.append(.byte(byte))
                }
                continue
            }
            guard let end = rest.firstIndex(of: UInt8(ascii: "}")) else { return nil }
            let name = String(Substring(rest[..<end].dropFirst()))
            rest = rest[rest.index(after: end)...]
            if name == "*" || name == "?" || name == "$" {
                elements.append(contentsOf: name.utf8.map(Element.byte))
            } else if let key = PolicyKey(name: name) {
                elements.append(.fact(key))
            } else {
                return nil
            }
        }
        self.elements = elements
        hasVariables = elements.contains { if case .fact = $0 { true } else { false } }
    }

    /// Whether the whole text matches, byte by byte; never where a fact that the pattern names is not known.
    ///
    /// The time grows with the product of both lengths at worst.
    package func matches(_ text: String, _ facts: PolicyFacts) -> Bool {
        guard let pattern = hasVariables ? resolved(facts) : elements else { return false }
        let bytes = Array(text.utf8)
        var (place, element) = (0, 0)
        // Where to go on when what follows the last `*` does not fit: it then takes one byte more.
        var retry: (place: Int, element: Int)?
        while place < bytes.count {
            if element < pattern.count, pattern[element] == .any {
                retry = (place, element)
                element += 1
            } else if element < pattern.count, pattern[element] == .byte(bytes[place]) {
                (place, element) = (place + 1, element + 1)
            } else if element < pattern.count, pattern[element] == .one {
                (place, element) = (Self.characterEnd(bytes, from: place), element + 1)
            } else if let last = retry {
                retry = (last.place + 1, last.element)
                (place, element) = (last.place + 1, last.element + 1)
            } else {
                return false
            }
        }
        return pattern[element...].allSatisfy { $0 == .any }
    }

    private func resolved(_ facts: PolicyFacts) -> [Element]? {
        var resolved: [Element] = []
        for element in elements {
            guard case .fact(let key) = element else {
                resolved.append(element)
                continue
            }
            guard let value = facts[key] else { return nil }
            resolved.append(contentsOf: value.utf8.map(Element.byte))
        }
        return resolved
    }

    /// Where the character that begins there ends: continuation bytes of UTF-8 belong to it.
    private static func characterEnd(_ bytes: [UInt8], from place: Int) -> Int {
        var end = place + 1
        while end < bytes.count, bytes[end] & 0xC0 == 0x80 { end += 1 }
        return end
    }
}
