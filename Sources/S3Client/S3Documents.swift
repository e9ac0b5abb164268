import Crypto
import Model
import NIOCore
import S3Wire

/// An error document of S3; empty where there was none, or none that can be read.
struct S3ErrorDocument: Sendable {
    var code = ""
    var message = ""

    init() {}

    /// Reads what a refusing answer carried; some proxies send HTML.
    init(_ bytes: [UInt8]) {
        guard let root = try? XMLElement.parse(bytes) else { return }
        (code, message) = (root["Code"]?.text ?? "", root["Message"]?.text ?? "")
    }

    /// Reads a document only where it is an error: its root has that name.
    init?(rootedAt name: String, _ bytes: [UInt8]) {
        guard let root = try? XMLElement.parse(bytes), root.name == name else { return nil }
        (code, message) = (root["Code"]?.text ?? "", root["Message"]?.text ?? "")
    }
}

/// The XML documents that the client reads and writes (S3 API reference).
enum S3Documents {
    static func uploadID(_ bytes: [UInt8]) throws(S3ClientError) -> String {
        // rclone's server uses the second name.
        let root = try root(bytes, "InitiateMultipartUploadResult", or: "InitiateMultipartUpload")
        guard let id = root["UploadId"]?.text, !id.isEmpty else {
            throw malformed("gives no upload ID")
        }
        return id
    }

    /// `CompleteMultipartUpload`, with the parts' ETags as the store gave them.
    static func completion(eTags: [String]) -> [UInt8] {
        var writer = XMLWriter()
        writer.element("CompleteMultipartUpload", namespace: XMLWriter.s3Namespace) { writer in
            for (index, eTag) in eTags.enumerated() {
                writer.element("Part") { writer in
                    writer.element("PartNumber", index + 1)
                    writer.element("ETag", eTag)
                }
            }
        }
        return writer.bytes
    }

    static func completedETag(_ bytes: [UInt8]) throws(S3ClientError) -> String {
        unquoted(try root(bytes, "CompleteMultipartUploadResult")["ETag"]?.text ?? "")
    }

    static func page(_ bytes: [UInt8]) throws(S3ClientError) -> S3Page {
        let root = try root(bytes, "ListBucketResult")
        let isEncoded = root["EncodingType"]?.text == "url"
        func name(_ text: String) throws(S3ClientError) -> String {
            guard isEncoded else { return text }
            guard let decoded = PercentEncoding.decoded(text, plusIsSpace: true) else {
                throw malformed("has a key that is not encoded well")
            }
            return decoded
        }
        var page = S3Page()
        for element in root.children {
            switch element.name {
            case "Contents":
                guard let key = element["Key"]?.text, let size = element["Size"].flatMap({ Int64($0.text) }) else {
                    throw malformed("has an object without key or size")
                }
                page.objects.append(
                    S3Object(
                        key: try name(key), size: Model.ByteCount(size), eTag: unquoted(element["ETag"]?.text ?? ""),
                        lastModified: element["LastModified"].flatMap { Instant(rfc3339: $0.text) }))
            case "CommonPrefixes":
                guard let prefix = element["Prefix"]?.text else { throw malformed("has an empty prefix") }
                page.commonPrefixes.append(try name(prefix))
            default: continue
            }
        }
        if root["IsTruncated"]?.text == "true" {
            guard let token = root["NextContinuationToken"]?.text, !token.isEmpty else {
                throw malformed("is cut but does not say how to go on")
            }
            page.continuation = token
        }
        return page
    }

    /// `Delete`, in the form that names only what failed.
    static func deletion(keys: [String]) -> [UInt8] {
        var writer = XMLWriter()
        writer.element("Delete", namespace: XMLWriter.s3Namespace) { writer in
            writer.element("Quiet", true)
            for key in keys { writer.element("Object") { $0.element("Key", key) } }
        }
        return writer.bytes
    }

    static func deletionFailures(_ bytes: [UInt8]) throws(S3ClientError) -> [(key: String, reason: String)] {
        // In the quiet form some stores send nothing at all when nothing failed.
        guard !bytes.isEmpty else { return [] }
        return try root(bytes, "DeleteResult").all("Error").map { error in
            let reason = error["Message"]?.text ?? ""
            return (error["Key"]?.text ?? "", reason.isEmpty ? error["Code"]?.text ?? "" : reason)
        }
    }

    static func location(region: String) -> [UInt8] {
        var writer = XMLWriter()
        writer.element("CreateBucketConfiguration", namespace: XMLWriter.s3Namespace) { writer in
            writer.element("LocationConstraint", region)
        }
        return writer.bytes
    }

    static func buckets(_ bytes: [UInt8]) throws(S3ClientError) -> [S3Bucket] {
        let list = try root(bytes, "ListAllMyBucketsResult")["Buckets"]?.all("Bucket") ?? []
        return list.compactMap { bucket in
            bucket["Name"].map { name in
                S3Bucket(name: name.text, created: bucket["CreationDate"].flatMap { Instant(rfc3339: $0.text) })
            }
        }
    }

    /// The Base64 MD5 of a body, which `DeleteObjects` demands (API reference, DeleteObjects).
    static func contentMD5(_ body: [UInt8]) -> String { Base64.encode(Array(Insecure.MD5.hash(data: body))) }

    static func root(
        _ bytes: [UInt8],
        _ name: String,
        or other: String? = nil
    ) throws(S3ClientError) -> XMLElement {
        let root: XMLElement
        do {
            root = try XMLElement.parse(bytes)
        } catch {
            throw S3ClientError(
                .malformedAnswer,
                "the object store's answer is not valid XML; is the address really that of a store?",
                cause: error)
        }
        guard root.name == name || root.name == other else {
            throw malformed("is <\(root.name)> in place of <\(name)>")
        }
        return root
    }

    private static func malformed(_ what: String) -> S3ClientError {
        S3ClientError(.malformedAnswer, "the object store's answer \(what)")
    }
}

/// A text without the quotation marks around it.
func unquoted(_ text: String) -> String {
    text.count >= 2 && text.hasPrefix("\"") && text.hasSuffix("\"") ? String(text.dropFirst().dropLast()) : text
}
