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
    /// The most bytes that names and values of user metadata may have together (S3 user guide, "Working with object
    /// metadata").
    private static let metadataLimit = 2048

    /// - Throws: `S3Error` with `metadataTooLarge`, `invalidArgument`.
    init(of request: ReceivedRequest) throws(S3Error) {
        self.init()
        if let type = request.header("content-type"), !type.isEmpty { contentType = type }
        for name in Self.standardHeaders { headers[name] = request.header(name) }
        headers["content-encoding"] = Self.contentEncoding(headers["content-encoding"])
        var metadataSize = 0
        for name in Set(request.headers.map(\.name)) where name.hasPrefix(Self.metadataPrefix) {
            let key = String(name.dropFirst(Self.metadataPrefix.utf8.count))
            let value = request.header(name) ?? ""
            metadataSize += key.utf8.count + value.utf8.count
            userMetadata[key] = value
        }
        guard metadataSize <= Self.metadataLimit else { throw S3Error(.metadataTooLarge) }
        if let storageClass = request.header("x-amz-storage-class") {
            let isName = storageClass.utf8.allSatisfy { (0x41...0x5A).contains($0) || $0 == UInt8(ascii: "_") }
            guard isName, (1...32).contains(storageClass.utf8.count) else {
                throw S3Error(.invalidArgument, "The storage class you specified is not valid.")
            }
            self.storageClass = storageClass
        }
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
        for (name, value) in userMetadata { fields.set(Self.metadataPrefix + name, value) }
        if storageClass != "STANDARD" { fields.set("x-amz-storage-class", storageClass) }
    }

    /// Writes the headers with the checksums.
    func writeChecksums(to fields: inout HTTPFields) {
        guard !checksums.isEmpty else { return }
        for (algorithm, value) in checksums { fields.set(algorithm.headerName, value) }
        fields.set("x-amz-checksum-type", checksumType.rawValue)
    }
}
