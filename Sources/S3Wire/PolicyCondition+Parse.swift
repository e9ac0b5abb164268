import Model

/// Reads conditions (IAM user guide, "IAM JSON policy elements: Condition operators").
extension PolicyCondition {
    private enum Kind {
        case text(wildcards: Bool, ignoringCase: Bool), flag, network, number(Order), time(Order), null
    }

    private static let kinds: [String: (kind: Kind, isNegated: Bool)] = [
        "StringEquals": (.text(wildcards: false, ignoringCase: false), false),
        "StringNotEquals": (.text(wildcards: false, ignoringCase: false), true),
        "StringEqualsIgnoreCase": (.text(wildcards: false, ignoringCase: true), false),
        "StringNotEqualsIgnoreCase": (.text(wildcards: false, ignoringCase: true), true),
        "StringLike": (.text(wildcards: true, ignoringCase: false), false),
        "StringNotLike": (.text(wildcards: true, ignoringCase: false), true),
        "Bool": (.flag, false),
        "IpAddress": (.network, false),
        "NotIpAddress": (.network, true),
        "NumericEquals": (.number(.equal), false),
        "NumericNotEquals": (.number(.equal), true),
        "NumericLessThan": (.number(.less), false),
        "NumericLessThanEquals": (.number(.lessOrEqual), false),
        "NumericGreaterThan": (.number(.greater), false),
        "NumericGreaterThanEquals": (.number(.greaterOrEqual), false),
        "DateEquals": (.time(.equal), false),
        "DateNotEquals": (.time(.equal), true),
        "DateLessThan": (.time(.less), false),
        "DateLessThanEquals": (.time(.lessOrEqual), false),
        "DateGreaterThan": (.time(.greater), false),
        "DateGreaterThanEquals": (.time(.greaterOrEqual), false),
        "Null": (.null, false),
    ]

    /// All conditions of a statement.
    ///
    /// - Throws: `S3Error` with `malformedPolicy`.
    static func all(_ value: JSONValue, hasVariables: Bool) throws(S3Error) -> [PolicyCondition] {
        guard let operators = value.objectValue else { throw BucketPolicy.malformed("Condition is no object") }
        var conditions: [PolicyCondition] = []
        for (name, keys) in operators.members {
            guard let keys = keys.objectValue, !keys.isEmpty else {
                throw BucketPolicy.malformed("the condition \(name) names no keys")
            }
            for (key, values) in keys.members {
                conditions.append(try PolicyCondition(name, key, values, hasVariables: hasVariables))
            }
        }
        return conditions
    }

    private init(_ name: String, _ keyName: String, _ values: JSONValue, hasVariables: Bool) throws(S3Error) {
        let suffix = "IfExists"
        let isOptional = name.hasSuffix(suffix)
        let base = isOptional ? String(name.dropLast(suffix.utf8.count)) : name
        guard let (kind, isNegated) = Self.kinds[base], !(isOptional && base == "Null") else {
            throw BucketPolicy.malformed("the condition operator \(name) is not known")
        }
        guard let key = PolicyKey(name: keyName) else {
            throw BucketPolicy.malformed("the condition key \(keyName) is not known")
        }
        let texts = try BucketPolicy.texts(values, of: keyName)
        self.key = key
        self.isNegated = isNegated
        holdsWithoutFact = isOptional
        func failure(_ text: String) -> S3Error {
            BucketPolicy.malformed("\"\(text)\" is no value for \(name) of \(keyName)")
        }
        func all<T>(_ parse: (String) -> T?) throws(S3Error) -> [T] {
            var parsed: [T] = []
            for text in texts {
                guard let value = parse(text) else { throw failure(text) }
                parsed.append(value)
            }
            return parsed
        }
        switch kind {
        case .text(let wildcards, let ignoringCase):
            let patterns = try all { (text) -> WildcardPattern? in
                let text = ignoringCase ? text.lowercased() : text
                let pattern =
                    hasVariables
                    ? WildcardPattern(variablesIn: text, hasWildcards: wildcards)
                    : wildcards ? WildcardPattern(literalDollars: text) : WildcardPattern(exactly: text)
                // A fact that is not known would make it hold for everyone.
                return isNegated && pattern?.hasVariables == true ? nil : pattern
            }
            test = .texts(patterns, ignoringCase: ignoringCase)
        case .flag: test = .flags(try all(Self.flag))
        case .network: test = .networks(try all { IPNetwork($0) })
        case .number(let order): test = .numbers(order, try all { Double($0).flatMap { $0.isFinite ? $0 : nil } })
        case .time(let order): test = .times(order, try all(Self.time))
        case .null:
            let flags = try all(Self.flag)
            guard flags.count == 1 else { throw failure(texts.joined(separator: ",")) }
            test = .absence(flags[0])
        }
    }

    private static func flag(_ text: String) -> Bool? {
        switch text.lowercased() {
        case "true": true
        case "false": false
        default: nil
        }
    }
}
