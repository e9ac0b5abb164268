package import Model

/// What an upload from a browser must be like for whoever signed the form (S3 API reference, "Creating a POST policy").
package struct PostPolicy: Sendable, Hashable {
    enum Condition: Sendable, Hashable {
        case equal(field: String, String)
        case prefix(field: String, String)

        var field: String {
            switch self {
            case .equal(let field, _), .prefix(let field, _): field
            }
        }
    }

    package let expiration: Instant
    let conditions: [Condition]
    /// How many bytes the file may have; `nil` for any number.
    package let length: ClosedRange<Int64>?

    /// - Parameter text: the field `policy`: JSON in base64.
    /// - Throws: `S3Error` with `invalidPolicyDocument`.
    package init(parsing text: String) throws(S3Error) {
        guard let bytes = Base64.decodeSkippingWhiteSpace(Array(text.utf8)) else {
            throw Self.invalid("it is not encoded in base64")
        }
        let document: JSONValue
        do throws(JSONError) {
            document = try JSONValue.parse(bytes: bytes, refusingRepeatedKeys: true)
        } catch {
            throw Self.invalid("invalid JSON, \(error)")
        }
        guard let object = document.objectValue else { throw Self.invalid("it is no object") }
        for (key, _) in object.members where key != "expiration" && key != "conditions" {
            throw Self.invalid("unexpected \"\(key)\"")
        }
        guard let expiration = object["expiration"]?.stringValue.flatMap({ Instant(rfc3339: $0) }) else {
            throw Self.invalid("\"expiration\" is missing or no date")
        }
        guard let values = object["conditions"]?.arrayValue else {
            throw Self.invalid("\"conditions\" is missing or no list")
        }
        var conditions: [Condition] = []
        var length: ClosedRange<Int64>?
        for value in values {
            if let object = value.objectValue {
                for (key, member) in object.members {
                    guard let text = member.stringValue else { throw Self.invalid("\"\(key)\" is no text") }
                    conditions.append(.equal(field: key.lowercased(), text))
                }
            } else if let range = try Self.lengthRange(value) {
                // Where there are several, all hold.
                let lower = max(range.lowerBound, length?.lowerBound ?? 0)
                let upper = min(range.upperBound, length?.upperBound ?? .max)
                guard lower <= upper else { throw Self.invalid("no length lies in all content-length-ranges") }
                length = lower...upper
            } else {
                conditions.append(try Self.condition(value))
            }
        }
        (self.expiration, self.conditions, self.length) = (expiration, conditions, length)
    }

    private static func lengthRange(_ value: JSONValue) throws(S3Error) -> ClosedRange<Int64>? {
        guard let list = value.arrayValue, list.first?.stringValue?.lowercased() == "content-length-range" else {
            return nil
        }
        func number(_ value: JSONValue) -> Int64? { value.integerValue ?? value.stringValue.flatMap { Int64($0) } }
        guard list.count == 3, let lower = number(list[1]), let upper = number(list[2]), lower >= 0, lower <= upper
        else { throw invalid("content-length-range needs two numbers of bytes") }
        return lower...upper
    }

    private static func condition(_ value: JSONValue) throws(S3Error) -> Condition {
        guard let list = value.arrayValue, list.count == 3, let name = list[0].stringValue,
            let field = list[1].stringValue, let text = list[2].stringValue
        else { throw invalid("a condition is neither an object nor a list of three") }
        guard field.utf8.first == UInt8(ascii: "$"), field.utf8.count > 1 else {
            throw invalid("\"\(field)\" does not begin with a dollar sign")
        }
        switch name.lowercased() {
        case "eq": return .equal(field: String(field.dropFirst()).lowercased(), text)
        case "starts-with": return .prefix(field: String(field.dropFirst()).lowercased(), text)
        default: throw invalid("the condition \"\(name)\" is not known")
        }
    }

    private static func invalid(_ reason: String) -> S3Error {
        S3Error(.invalidPolicyDocument, "Invalid Policy: \(reason).")
    }
}

extension PostPolicy {
    /// The fields that no condition need name (same place, "Conditions").
    private static let exempt: Set<String> = ["awsaccesskeyid", "file", "policy", "signature", "x-amz-signature"]

    /// Checks a form against the policy: every condition holds, and every field has one.
    ///
    /// - Parameters:
    ///   - fields: with the key that the object will have.
    ///   - bucket: to which the form was sent.
    /// - Throws: `S3Error` with `accessDenied`.
    package func check(_ fields: FormFields, bucket: String, now: Instant) throws(S3Error) {
        guard now < expiration else { throw Self.denied("Policy expired.") }
        for condition in conditions where !condition.holds(fields, bucket: bucket) {
            throw Self.denied("Policy Condition failed: \(condition.text)")
        }
        let covered = Set(conditions.map(\.field))
        // Else who has the form could send it to any bucket.
        guard covered.contains("bucket") else { throw Self.denied("Policy missing condition: bucket") }
        for field in fields.all {
            let isExempt = Self.exempt.contains(field.name) || field.name.hasPrefix("x-ignore-")
            guard isExempt || covered.contains(field.name) else {
                throw Self.denied("Extra input fields: \(field.name)")
            }
        }
    }

    /// Checks how many bytes the file has so far, or in the end.
    ///
    /// - Throws: `S3Error` with `entityTooLarge`, `entityTooSmall`.
    package func check(length count: Int64, isEnd: Bool) throws(S3Error) {
        guard let length else { return }
        let details = [
            ("ProposedSize", String(count)),
            count > length.upperBound
                ? ("MaxSizeAllowed", String(length.upperBound)) : ("MinSizeAllowed", String(length.lowerBound)),
        ]
        guard count <= length.upperBound else { throw S3Error(.entityTooLarge, details: details) }
        guard !isEnd || count >= length.lowerBound else { throw S3Error(.entityTooSmall, details: details) }
    }

    private static func denied(_ reason: String) -> S3Error {
        S3Error(.accessDenied, "Invalid according to Policy: \(reason)")
    }
}

extension PostPolicy.Condition {
    fileprivate func holds(_ fields: FormFields, bucket: String) -> Bool {
        guard let value = field == "bucket" ? bucket : fields[field] else { return false }
        switch self {
        case .equal(_, let wanted): return value.utf8.elementsEqual(wanted.utf8)
        case .prefix("content-type", let wanted) where value.contains(","):
            // A list of media types: each must begin so.
            return value.split(separator: ",").allSatisfy { part in
                part.drop { $0 == " " }.utf8.starts(with: wanted.utf8)
            }
        case .prefix(_, let wanted): return value.utf8.starts(with: wanted.utf8)
        }
    }

    fileprivate var text: String {
        switch self {
        case .equal(let field, let wanted): "[\"eq\", \"$\(field)\", \"\(wanted)\"]"
        case .prefix(let field, let wanted): "[\"starts-with\", \"$\(field)\", \"\(wanted)\"]"
        }
    }
}
