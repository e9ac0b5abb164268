import HTTPTypes
import Model
import ObjectEngine
import S3Wire

/// Between the attributes of objects and the headers that carry them.
extension ObjectAttributes {
    /// The headers that are kept and come back as they are.
    private static let standardHeaders = [
        "cache-control", "content-disposition", "content-encoding", "content-language", "expires",
    ]
    private static let metadataPrefix = "x-amz-meta-"
    private static let redirect = "x-amz-website-redirect-location"
    /// The most bytes that names and values of user metadata may have together (S3 user guide, "Working with object
    /// metadata").
    private static let metadataLimit = 2048
    /// The most bytes of a redirect's target.
    private static let redirectLimit = 2048

    /// - Throws: `S3Error` with `metadataTooLarge`, `invalidStorageClass`, `invalidRedirectLocation`, and as `TagSet`.
    init(of request: ReceivedRequest) throws(S3Error) {
        self.init()
        if let type = request.header("content-type"), !type.isEmpty { contentType = type }
        for name in Self.standardHeaders { headers[name] = request.header(name) }
        headers["content-encoding"] = Self.contentEncoding(headers["content-encoding"])
        try readMetadata(of: request)
        try readStorage(of: request)
        if let text = request.header("x-amz-tagging"), !text.isEmpty { tags = try TagSet(header: text) }
    }

    private mutating func readMetadata(of request: ReceivedRequest) throws(S3Error) {
        var size = 0
        for (name, _) in request.headers where name.hasPrefix(Self.metadataPrefix) {
            let key = String(name.dropFirst(Self.metadataPrefix.utf8.count))
            guard userMetadata[key] == nil else { continue }
            let value = EncodedWords.decode(request.header(name) ?? "")
            size += key.utf8.count + value.utf8.count
            userMetadata[key] = value
        }
        guard size <= Self.metadataLimit else {
            throw S3Error(
                .metadataTooLarge, details: [("Size", String(size)), ("MaxSizeAllowed", String(Self.metadataLimit))])
        }
    }

    /// What copies do not take over from their source.
    private mutating func readStorage(of request: ReceivedRequest) throws(S3Error) {
        storageClass = .standard
        if let text = request.header("x-amz-storage-class") { storageClass = try StorageClass(parsing: text) }
        let target = request.header(Self.redirect)
        if let target {
            let isTarget = ["/", "http://", "https://"].contains { target.hasPrefix($0) }
            guard isTarget, target.utf8.count <= Self.redirectLimit else { throw S3Error(.invalidRedirectLocation) }
        }
        headers[Self.redirect] = target
    }

    /// What a copy has: each of metadata and tags from its source or from the request, as its directives say.
    ///
    /// - Throws: as `init(of:)`.
    func copied(by request: ReceivedRequest, _ directives: CopyDirectives) throws(S3Error) -> ObjectAttributes {
        let given = try ObjectAttributes(of: request)
        var copy = directives.replacesMetadata ? given : self
        copy.tags = directives.replacesTags ? given.tags : tags
        try copy.readStorage(of: request)
        return copy
    }

    /// Without `aws-chunked`, which is of the request and not of the content.
    private static func contentEncoding(_ header: String?) -> String? {
        guard let header else { return nil }
        let codings = header.split(separator: ",").map { coding in coding.filter { $0 != " " } }
        let kept = codings.filter { $0.lowercased() != "aws-chunked" && !$0.isEmpty }
        return kept.isEmpty ? nil : kept.joined(separator: ",")
    }

    /// Writes the headers that come back with the object.
    func write(to fields: inout HTTPFields) {
        fields[.contentType] = contentType
        for (name, value) in headers { fields.set(name, value) }
        for (name, value) in userMetadata {
            fields.set(Self.metadataPrefix + name, EncodedWords.encode(value))
        }
        if storageClass != .standard { fields.set("x-amz-storage-class", storageClass.rawValue) }
        if !tags.isEmpty { fields.set("x-amz-tagging-count", String(tags.tags.count)) }
    }

    /// Writes the headers with the checksums.
    func writeChecksums(to fields: inout HTTPFields) {
        guard !checksums.isEmpty else { return }
        for (algorithm, value) in checksums { fields.set(algorithm.headerName, value) }
        fields.set("x-amz-checksum-type", checksumType.rawValue)
    }
}
