/// A form by which a browser uploads an object (S3 API reference, "POST Object").
package struct PostForm: Sendable {
    /// What the client wants to get after its upload.
    package enum Success: Sendable, Hashable {
        case noContent
        case empty
        case document
        /// An absolute URL without line breaks.
        case redirect(String)
    }

    /// Those of the signature are not of the object.
    private static let signatureFields: Set<String> = [
        "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-security-token", "x-amz-signature",
    ]
    /// The fields that mean what the header of the same name means.
    private static let headerFields: Set<String> = [
        "cache-control", "content-disposition", "content-encoding", "content-language", "content-md5", "content-type",
        "expires",
    ]

    /// With `${filename}` replaced in the key.
    package let fields: FormFields
    package let key: String
    package let success: Success

    /// - Throws: `S3Error` with `userKeyMustBeSpecified`, `malformedPOSTRequest` for a field that is there twice.
    package init(_ received: FormFields) throws(S3Error) {
        guard received["key"].map({ !$0.isEmpty }) ?? false else { throw S3Error(.userKeyMustBeSpecified) }
        var fields = FormFields()
        fields.fileName = received.fileName
        var names: Set<String> = []
        for field in received.all {
            // Which of two a policy is held against must not be in doubt.
            guard names.insert(field.name).inserted else {
                throw S3Error(.malformedPOSTRequest, "The field \(field.name) is there twice.")
            }
            let isKey = field.name == "key"
            fields.append(field.name, isKey ? Self.key(field.value, fileName: received.fileName) : field.value)
        }
        self.fields = fields
        key = fields["key"] ?? ""
        success = Self.success(fields)
    }

    /// Only the last part of a path counts as the name of a file.
    private static func key(_ text: String, fileName: String) -> String {
        let name =
            fileName.utf8.split(omittingEmptySubsequences: false) {
                $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "\\")
            }.last.map { String(Substring($0)) } ?? ""
        return text.split(separator: "${filename}", omittingEmptySubsequences: false).joined(separator: name)
    }

    private static func success(_ fields: FormFields) -> Success {
        if let url = fields["success_action_redirect"] ?? fields["redirect"] {
            let isURL = url.hasPrefix("http://") || url.hasPrefix("https://")
            if isURL, url.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) { return .redirect(url) }
        }
        switch fields["success_action_status"] {
        case "200": return .empty
        case "201": return .document
        default: return .noContent
        }
    }

    /// The form as the request that says the same in headers, for all that reads those.
    ///
    /// - Throws: `S3Error` with `invalidArgument` for a value that a header cannot carry, `malformedXML` for tags.
    package func request(like upload: ReceivedRequest) throws(S3Error) -> ReceivedRequest {
        var headers: [(name: String, value: String)] = []
        for field in fields.all {
            let name: String
            var value = field.value
            switch field.name {
            case "acl": name = "x-amz-acl"
            case "tagging": (name, value) = ("x-amz-tagging", try Self.tagging(value))
            case let other where Self.headerFields.contains(other): name = other
            case let other where other.hasPrefix("x-amz-") && !Self.signatureFields.contains(other): name = other
            default: continue
            }
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw S3Error(.invalidArgument, "The value of the field \(field.name) has control characters.")
            }
            headers.append((name, value))
        }
        for name in ["host", "referer", "user-agent"] {
            if let value = upload.header(name) { headers.append((name, value)) }
        }
        return try ReceivedRequest(method: upload.method, target: upload.path, headers: headers)
    }

    /// Tags come as a document, where the header has them as a query.
    private static func tagging(_ text: String) throws(S3Error) -> String {
        let root = try XMLElement.parse(Array(text.utf8), maximumElements: 200)
        guard root.name == "Tagging", let set = root["TagSet"] else { throw S3Error(.malformedXML) }
        var pairs: [String] = []
        for tag in set.all("Tag") {
            guard let key = tag["Key"]?.text, let value = tag["Value"]?.text else { throw S3Error(.malformedXML) }
            pairs.append("\(PercentEncoding.encoded(key))=\(PercentEncoding.encoded(value))")
        }
        return pairs.joined(separator: "&")
    }

    /// Where a browser is sent after its upload.
    ///
    /// - Parameter eTag: without quotation marks.
    package static func redirection(to url: String, bucket: String, key: String, eTag: String) -> String {
        let separator = url.utf8.contains(UInt8(ascii: "?")) ? "&" : "?"
        let quoted = PercentEncoding.encoded("\"\(eTag)\"")
        return "\(url)\(separator)bucket=\(PercentEncoding.encoded(bucket))&key=\(PercentEncoding.encoded(key))"
            + "&etag=\(quoted)"
    }
}

/// Answers an upload from a browser that wants to know more than that it worked.
package struct PostResponse: ResultDocument {
    package let location: String
    package let bucket: String
    package let key: String
    /// Without quotation marks.
    package let eTag: String

    package init(location: String, bucket: String, key: String, eTag: String) {
        (self.location, self.bucket, self.key, self.eTag) = (location, bucket, key, eTag)
    }

    package func write(to writer: inout XMLWriter) {
        writer.element("PostResponse") {
            $0.element("Location", location)
            $0.element("Bucket", bucket)
            $0.element("Key", key)
            $0.element("ETag", "\"\(eTag)\"")
        }
    }
}
