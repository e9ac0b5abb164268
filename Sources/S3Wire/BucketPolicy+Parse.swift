import Model

/// Reads policies, strictly: what is not understood is refused, since a statement that were ignored would let in
/// whom it keeps out.
extension BucketPolicy {
    private static let versions = ["2008-10-17", "2012-10-17"]
    private static let resourcePrefix = "arn:aws:s3:::"

    /// - Parameters:
    ///   - bytes: JSON.
    ///   - bucket: whose policy it is.
    /// - Throws: `S3Error` with `malformedPolicy`.
    package init(parsing bytes: [UInt8], bucket: String) throws(S3Error) {
        guard bytes.count <= Self.maximumLength else {
            throw S3Error(
                .malformedPolicy, "The policy exceeds the maximum allowed size of \(Self.maximumLength) bytes.")
        }
        let document: JSONValue
        do throws(JSONError) {
            document = try JSONValue.parse(bytes: bytes, refusingRepeatedKeys: true)
        } catch {
            throw S3Error(.malformedPolicy, "Policies must be valid JSON: \(error).")
        }
        guard let object = document.objectValue else { throw Self.malformed("it is no object") }
        try Self.check(object, knows: ["Version", "Id", "Statement"])
        let version = object["Version"]?.stringValue ?? (object["Version"] == nil ? Self.versions[0] : "")
        guard Self.versions.contains(version) else { throw Self.malformed("the version is not known") }
        guard object["Id"].map({ $0.stringValue != nil }) ?? true else { throw Self.malformed("Id is no string") }
        guard let statement = object["Statement"] else { throw Self.malformed("Statement is missing") }
        let values = statement.arrayValue ?? [statement]
        guard !values.isEmpty else { throw Self.malformed("Statement is empty") }
        var statements: [PolicyStatement] = []
        var identifiers: Set<String> = []
        for value in values {
            guard let object = value.objectValue else { throw Self.malformed("a statement is no object") }
            if let identifier = object["Sid"] {
                guard let text = identifier.stringValue else { throw Self.malformed("a Sid is no string") }
                guard text.isEmpty || identifiers.insert(text).inserted else {
                    throw Self.malformed("the Sid \(text) is there twice")
                }
            }
            statements.append(
                try Self.statement(object, bucket: bucket, hasVariables: version == Self.versions[1]))
        }
        self.statements = statements
    }

    private static func statement(
        _ object: JSONObject,
        bucket: String,
        hasVariables: Bool
    ) throws(S3Error) -> PolicyStatement {
        try check(
            object,
            knows: ["Sid", "Effect", "Principal", "Action", "NotAction", "Resource", "NotResource", "Condition"]
        )
        guard let effect = object["Effect"]?.stringValue.flatMap(PolicyStatement.Effect.init(rawValue:)) else {
            throw malformed("Effect must be Allow or Deny")
        }
        guard let principal = object["Principal"] else { throw malformed("Principal is missing") }
        let (resources, excludesResources) = try one(of: "Resource", "NotResource", in: object)
        let patterns = try resources.map { (text) throws(S3Error) in
            try resource(text, bucket: bucket, hasVariables: hasVariables)
        }
        // Where the fact is not known, such a statement would be about everything.
        guard !excludesResources || !patterns.contains(where: \.hasVariables) else {
            throw malformed("NotResource cannot have variables")
        }
        let actions = try actions(object, resources: excludesResources ? [] : resources, bucket: bucket)
        return PolicyStatement(
            effect: effect,
            audience: try audience(principal),
            actions: actions,
            resources: patterns,
            excludesResources: excludesResources,
            conditions: try object["Condition"].map { (value) throws(S3Error) in
                try PolicyCondition.all(value, hasVariables: hasVariables)
            } ?? []
        )
    }

    /// `"*"`, or `{"AWS": …}` with `*`, accounts, their roots and their users.
    private static func audience(_ value: JSONValue) throws(S3Error) -> PolicyStatement.Audience {
        if value.stringValue == "*" { return .everyone }
        guard let object = value.objectValue, let given = object["AWS"], object.count == 1 else {
            throw malformed("Principal must be \"*\" or name AWS principals")
        }
        var names: Set<String> = []
        var root = false
        for text in try texts(given, of: "Principal") {
            if text == "*" { return .everyone }
            let parts = text.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
            func isAccount(_ text: Substring) -> Bool { text.utf8.allSatisfy { (0x30...0x39).contains($0) } }
            if parts.count == 1, text.utf8.count == 12, isAccount(parts[0]) {
                root = true
                continue
            }
            guard parts.count == 6, parts[..<4].elementsEqual(["arn", "aws", "iam", ""]), isAccount(parts[4]) else {
                throw malformed("the principal \(text) is not known")
            }
            let user = parts[5].hasPrefix("user/") ? parts[5].dropFirst(5) : ""
            if parts[5] == "root" {
                root = true
            } else if !user.isEmpty, !user.contains("*"), !user.contains("?") {
                names.insert(String(user))
            } else {
                throw malformed("the principal \(text) is not known")
            }
        }
        return .named(names, root: root)
    }

    /// The actions that a statement names.
    ///
    /// - Parameter resources: what the actions must be able to be done to; empty for no such check.
    private static func actions(
        _ object: JSONObject,
        resources: [String],
        bucket: String
    ) throws(S3Error) -> Set<S3Action> {
        let (patterns, isExcluding) = try one(of: "Action", "NotAction", in: object)
        var actions: Set<S3Action> = []
        let root = "\(resourcePrefix)\(bucket)"
        let namesBucket = resources.contains { !$0.dropFirst(root.utf8.count).hasPrefix("/") }
        let namesObjects = resources.contains { $0 != root }
        for pattern in patterns {
            let matching = S3Action.matching(pattern)
            guard !matching.isEmpty else { throw malformed("the action \(pattern) is not known") }
            let isPossible = matching.contains { $0.isOfObject ? namesObjects : namesBucket }
            guard isExcluding || resources.isEmpty || isPossible else {
                throw malformed("the action \(pattern) does not apply to any resource in its statement")
            }
            actions.formUnion(matching)
        }
        return isExcluding ? Set(S3Action.allCases).subtracting(actions) : actions
    }

    private static func resource(_ text: String, bucket: String, hasVariables: Bool) throws(S3Error) -> WildcardPattern
    {
        let root = "\(resourcePrefix)\(bucket)"
        guard text.utf8.starts(with: root.utf8) else { throw malformed("the resource \(text) is not in the bucket") }
        let rest = text.utf8.dropFirst(root.utf8.count)
        guard rest.isEmpty || rest.first == UInt8(ascii: "/") || rest.first == UInt8(ascii: "*") else {
            throw malformed("the resource \(text) is not in the bucket")
        }
        let name = text.dropFirst(resourcePrefix.utf8.count)
        guard hasVariables else { return WildcardPattern(literalDollars: name) }
        guard let pattern = WildcardPattern(variablesIn: name, hasWildcards: true) else {
            throw malformed("the resource \(text) names a variable that is not known")
        }
        return pattern
    }

    /// Exactly one of two members, and whether it is the second.
    private static func one(
        of name: String,
        _ other: String,
        in object: JSONObject
    ) throws(S3Error) -> ([String], Bool) {
        switch (object[name], object[other]) {
        case (let value?, nil): return (try texts(value, of: name), false)
        case (nil, let value?): return (try texts(value, of: other), true)
        default: throw malformed("a statement must have either \(name) or \(other)")
        }
    }

    /// One text or a list of at least one; numbers and truth values are taken as their text.
    static func texts(_ value: JSONValue, of name: String) throws(S3Error) -> [String] {
        var texts: [String] = []
        for element in value.arrayValue ?? [value] {
            switch element {
            case .string(let text), .number(let text): texts.append(text)
            case .bool(let flag): texts.append(flag ? "true" : "false")
            case .null, .array, .object: throw malformed("\(name) is neither a text nor a list of texts")
            }
        }
        guard !texts.isEmpty else { throw malformed("\(name) is empty") }
        return texts
    }

    private static func check(_ object: JSONObject, knows names: Set<String>) throws(S3Error) {
        for (key, _) in object.members where !names.contains(key) {
            throw malformed("the element \(key) is not known")
        }
    }

    static func malformed(_ reason: String) -> S3Error {
        S3Error(.malformedPolicy, "Policy cannot be used: \(reason).")
    }
}
