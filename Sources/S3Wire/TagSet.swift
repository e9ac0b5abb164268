/// The tags of an object or a bucket, in the order of their keys' bytes.
package struct TagSet: Sendable, Hashable {
    package struct Tag: Sendable, Hashable {
        package let key: String
        package let value: String

        package init(key: String, value: String) { (self.key, self.value) = (key, value) }
    }

    /// The most tags that an object may have (S3 user guide, "Categorizing your objects using tags").
    package static let limitOfObject = 10
    /// The most characters of a key and of a value (same place).
    private static let (maximumKey, maximumValue) = (128, 256)

    package let tags: [Tag]

    package var isEmpty: Bool { tags.isEmpty }

    package init() { tags = [] }

    /// Tags that were checked before they were kept.
    package init(kept tags: [Tag]) { self.tags = tags }

    /// - Parameter limit: the most tags that there may be.
    /// - Throws: `S3Error` with `badRequest` for too many tags, `invalidTag`.
    package init(_ tags: [Tag], limit: Int = limitOfObject) throws(S3Error) {
        guard tags.count <= limit else {
            let whose = limit == Self.limitOfObject ? "Object tags" : "Bucket tag count"
            throw S3Error(.badRequest, "\(whose) cannot be greater than \(limit)")
        }
        for (index, tag) in tags.enumerated() {
            try Self.check(tag)
            guard !Self.hasKey(of: tag, tags[..<index]) else {
                throw S3Error(
                    .invalidTag, "Cannot provide multiple Tags with the same key", details: [("TagKey", tag.key)])
            }
        }
        self.tags = tags.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    }

    /// Parses the document `Tagging`.
    ///
    /// - Throws: `S3Error` with `malformedXML`, and as `init(_:limit:)`.
    package init(parsing bytes: [UInt8], limit: Int = limitOfObject) throws(S3Error) {
        let root = try XMLElement.parse(bytes, maximumElements: 1000)
        guard root.name == "Tagging", let set = root["TagSet"] else { throw S3Error(.malformedXML) }
        var tags: [Tag] = []
        for element in set.children {
            guard element.name == "Tag", let key = element["Key"]?.text, let value = element["Value"]?.text else {
                throw S3Error(.malformedXML)
            }
            tags.append(Tag(key: key, value: value))
        }
        try self.init(tags, limit: limit)
    }

    /// Parses the header `x-amz-tagging`, which is a query: `a=1&b=2`.
    ///
    /// - Throws: `S3Error` with `invalidArgument` for what is no query and for keys that are there twice, and as
    ///   `init(_:limit:)`.
    package init(header: String) throws(S3Error) {
        let tags: [Tag]?
        do throws(S3Error) {
            tags = try QueryItems(parsing: header).items.map { Tag(key: $0.name, value: $0.value) }
        } catch {
            tags = nil
        }
        guard let tags, !tags.indices.contains(where: { Self.hasKey(of: tags[$0], tags[..<$0]) }) else {
            throw S3Error(
                .invalidArgument,
                "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag "
                    + "name duplicates.",
                details: [("ArgumentName", "x-amz-tagging"), ("ArgumentValue", header)]
            )
        }
        try self.init(tags)
    }

    private static func hasKey(of tag: Tag, _ others: ArraySlice<Tag>) -> Bool {
        others.contains { $0.key.utf8.elementsEqual(tag.key.utf8) }
    }

    private static func check(_ tag: Tag) throws(S3Error) {
        guard (1...maximumKey).contains(tag.key.unicodeScalars.count), isAllowed(tag.key) else {
            throw S3Error(.invalidTag, "The TagKey you have provided is invalid", details: [("TagKey", tag.key)])
        }
        guard tag.value.unicodeScalars.count <= maximumValue, isAllowed(tag.value) else {
            throw S3Error(
                .invalidTag, "The TagValue you have provided is invalid",
                details: [("TagKey", tag.key), ("TagValue", tag.value)]
            )
        }
        guard !tag.key.lowercased().hasPrefix("aws:") else {
            throw S3Error(
                .invalidTag, "System tags cannot be added/updated by requester", details: [("TagKey", tag.key)])
        }
    }

    /// Letters, numbers and spaces of any script, and `_.:/=+-@` (S3 API reference, `Tag`).
    private static func isAllowed(_ text: String) -> Bool {
        text.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
                .letterNumber, .otherNumber, .spaceSeparator, .lineSeparator, .paragraphSeparator:
                true
            default: "_.:/=+-@".unicodeScalars.contains(scalar)
            }
        }
    }
}

/// Answers `GetObjectTagging` and `GetBucketTagging`.
package struct TaggingDocument: ResultDocument {
    package let tags: TagSet

    package init(tags: TagSet) { self.tags = tags }

    package func write(to writer: inout XMLWriter) {
        writer.element("Tagging", namespace: XMLWriter.s3Namespace) { writer in
            writer.element("TagSet") { writer in
                for tag in tags.tags {
                    writer.element("Tag") {
                        $0.element("Key", tag.key)
                        $0.element("Value", tag.value)
                    }
                }
            }
        }
    }
}
