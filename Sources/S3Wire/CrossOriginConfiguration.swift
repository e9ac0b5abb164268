/// Which web pages of other origins may use a bucket (S3 user guide, "Elements of a CORS configuration").
package struct CrossOriginConfiguration: Sendable, Hashable {
    /// The most rules (same place).
    package static let maximumRules = 100
    /// The largest document, in bytes (same place).
    package static let maximumLength = 64 << 10

    /// What some pages may do.
    package struct Rule: Sendable, Hashable {
        package let id: String?
        package let allowedOrigins: [String]
        package let allowedMethods: [String]
        package let allowedHeaders: [String]
        package let exposedHeaders: [String]
        /// How long a browser may keep the answer to a preflight request, in seconds.
        package let maximumAge: Int?

        /// The pattern that lets a page of that origin in.
        func pattern(for origin: String) -> String? {
            allowedOrigins.first { WildcardPattern(literalDollars: $0, hasSingle: false).matches(origin, [:]) }
        }

        func allows(header: String) -> Bool {
            let lowered = header.lowercased()
            return allowedHeaders.contains {
                WildcardPattern(literalDollars: $0.lowercased(), hasSingle: false).matches(lowered, [:])
            }
        }
    }

    /// What a page may do, for its browser to know.
    package struct Grant: Sendable, Hashable {
        /// The origin of the page, or `*`.
        package let origin: String
        package let methods: [String]
        package let exposedHeaders: [String]
        package let maximumAge: Int?
    }

    /// In order: the first that fits counts.
    package let rules: [Rule]

    /// What a page of that origin may do with a request of that method; `nil` for nothing.
    ///
    /// - Parameter headers: those that the page wants to send, for a preflight request.
    package func grant(origin: String, method: String, headers: [String] = []) -> Grant? {
        for rule in rules {
            guard let pattern = rule.pattern(for: origin), rule.allowedMethods.contains(method),
                headers.allSatisfy(rule.allows(header:))
            else { continue }
            return Grant(
                origin: pattern == "*" ? "*" : origin, methods: rule.allowedMethods,
                exposedHeaders: rule.exposedHeaders, maximumAge: rule.maximumAge
            )
        }
        return nil
    }
}

extension CrossOriginConfiguration: ResultDocument {
    private static let methods = ["GET", "PUT", "HEAD", "POST", "DELETE"]

    /// - Throws: `S3Error` with `malformedXML`, `invalidRequest` for what S3 does not accept in a rule.
    package init(parsing bytes: [UInt8]) throws(S3Error) {
        guard bytes.count <= Self.maximumLength else { throw S3Error(.malformedXML) }
        let root = try XMLElement.parse(bytes, maximumElements: 10_000)
        guard root.name == "CORSConfiguration", root.children.allSatisfy({ $0.name == "CORSRule" }),
            (1...Self.maximumRules).contains(root.children.count)
        else { throw S3Error(.malformedXML) }
        rules = try root.children.map { (element) throws(S3Error) in try Self.rule(element) }
    }

    private static func rule(_ element: XMLElement) throws(S3Error) -> Rule {
        var texts: [String: [String]] = [:]
        for child in element.children { texts[child.name, default: []].append(child.text) }
        let known = ["ID", "AllowedOrigin", "AllowedMethod", "AllowedHeader", "ExposeHeader", "MaxAgeSeconds"]
        guard texts.keys.allSatisfy(known.contains), let origins = texts["AllowedOrigin"],
            let methods = texts["AllowedMethod"], (texts["ID"] ?? []).count <= 1,
            (texts["ID"] ?? []).allSatisfy({ $0.utf8.count <= 255 })
        else { throw S3Error(.malformedXML) }
        let headers = texts["AllowedHeader"] ?? []
        let exposed = texts["ExposeHeader"] ?? []
        for method in methods where !Self.methods.contains(method) {
            throw S3Error(
                .invalidRequest, "Found unsupported HTTP method in CORS config. Unsupported method is \(method)")
        }
        for (name, values) in [("AllowedOrigin", origins), ("AllowedHeader", headers)] {
            for value in values where value.utf8.filter({ $0 == UInt8(ascii: "*") }).count > 1 {
                throw S3Error(.invalidRequest, "\(name) \"\(value)\" can not have more than one wildcard.")
            }
        }
        for header in exposed where header.contains("*") {
            throw S3Error(
                .invalidRequest,
                "ExposeHeader \"\(header)\" contains wildcard. We currently do not support wildcard for ExposeHeader."
            )
        }
        guard (origins + headers + exposed).allSatisfy(isFieldText) else {
            throw S3Error(.invalidRequest, "A value of a CORS rule has characters that headers cannot carry.")
        }
        return Rule(
            id: texts["ID"]?.first, allowedOrigins: origins, allowedMethods: methods, allowedHeaders: headers,
            exposedHeaders: exposed, maximumAge: try maximumAge(texts["MaxAgeSeconds"] ?? [])
        )
    }

    private static func maximumAge(_ texts: [String]) throws(S3Error) -> Int? {
        guard let text = texts.first else { return nil }
        guard texts.count == 1, let age = Int(text), (0...Int(Int32.max)).contains(age) else {
            throw S3Error(.malformedXML)
        }
        return age
    }

    private static func isFieldText(_ text: String) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { (0x21...0x7E).contains($0) }
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("CORSConfiguration", namespace: XMLWriter.s3Namespace) { writer in
            for rule in rules {
                writer.element("CORSRule") { writer in
                    writer.element("ID", ifPresent: rule.id)
                    for method in rule.allowedMethods { writer.element("AllowedMethod", method) }
                    for origin in rule.allowedOrigins { writer.element("AllowedOrigin", origin) }
                    for header in rule.allowedHeaders { writer.element("AllowedHeader", header) }
                    for header in rule.exposedHeaders { writer.element("ExposeHeader", header) }
                    if let age = rule.maximumAge { writer.element("MaxAgeSeconds", age) }
                }
            }
        }
    }
}
