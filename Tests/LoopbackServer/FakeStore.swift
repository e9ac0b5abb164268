import NIOCore
package import NIOHTTP1
import Synchronization

/// A small S3 store in memory for `LoopbackServer`: enough of the API for the tests of its clients.
///
/// It does not check signatures, but keeps all requests.
package final class FakeStore: Sendable {
    package struct Object: Sendable, Hashable {
        package var bytes: [UInt8]
        package var contentType: String
    }

    private struct State {
        var buckets: [String: [String: Object]] = [:]
        var uploads: [String: [Int: [UInt8]]] = [:]
        var requests: [LoopbackRequest] = []
        var nextUpload = 1
    }

    private let state = Mutex(State())
    /// How many keys a page of a listing has at most.
    private let pageSize: Int

    package init(buckets: [String] = [], pageSize: Int = 1000) {
        self.pageSize = pageSize
        state.withLock { state in for name in buckets { state.buckets[name] = [:] } }
    }

    package func object(_ bucket: String, _ key: String) -> Object? { state.withLock { $0.buckets[bucket]?[key] } }
    package func keys(_ bucket: String) -> [String] { state.withLock { ($0.buckets[bucket] ?? [:]).keys.sorted() } }
    package var bucketNames: [String] { state.withLock { $0.buckets.keys.sorted() } }
    package var requests: [LoopbackRequest] { state.withLock { $0.requests } }
    /// Multipart uploads that were neither completed nor aborted.
    package var openUploads: Int { state.withLock { $0.uploads.count } }

    package func add(_ bucket: String, _ key: String, _ text: String = "") {
        state.withLock {
            $0.buckets[bucket, default: [:]][key] = Object(bytes: Array(text.utf8), contentType: "text/plain")
        }
    }

    /// Answers a request of S3.
    package func answer(_ request: LoopbackRequest) -> LoopbackResponse {
        let path = request.path.dropFirst()
        let bucketPart = path.prefix { $0 != "/" }
        let bucket = Self.decoded(bucketPart)
        let key = Self.decoded(path.dropFirst(bucketPart.count + 1))
        return state.withLock { state in
            state.requests.append(request)
            if bucket.isEmpty { return Self.bucketList(state.buckets.keys.sorted()) }
            return key.isEmpty
                ? bucketAnswer(request, bucket, &state) : Self.objectAnswer(request, bucket, key, &state)
        }
    }

    private func bucketAnswer(_ request: LoopbackRequest, _ bucket: String, _ state: inout State) -> LoopbackResponse {
        if request.method == .PUT {
            guard state.buckets[bucket] == nil else { return Self.error(.conflict, "BucketAlreadyOwnedByYou") }
            state.buckets[bucket] = [:]
            return LoopbackResponse()
        }
        guard let objects = state.buckets[bucket] else { return Self.error(.notFound, "NoSuchBucket") }
        if request.method == .HEAD { return LoopbackResponse() }
        if request.method == .DELETE {
            state.buckets[bucket] = nil
            return LoopbackResponse(.noContent)
        }
        if request.method == .POST, request.parameter("delete") != nil {
            for part in request.text.components(after: "<Key>") {
                let key = part.prefix { $0 != "<" }
                state.buckets[bucket]?[Self.unescaped(String(key))] = nil
            }
            return LoopbackResponse(text: "<DeleteResult></DeleteResult>")
        }
        return list(request, objects)
    }

    private func list(_ request: LoopbackRequest, _ objects: [String: Object]) -> LoopbackResponse {
        let prefix = Self.decoded(request.parameter("prefix") ?? "")
        let delimiter = Self.decoded(request.parameter("delimiter") ?? "")
        let after = Self.decoded(Self.decoded(request.parameter("continuation-token") ?? ""))
        var xml = "<ListBucketResult><EncodingType>url</EncodingType>"
        var seen: Set<String> = []
        var count = 0
        var last = ""
        for key in objects.keys.sorted(by: { Array($0.utf8).lexicographicallyPrecedes(Array($1.utf8)) })
        where key.hasPrefix(prefix) && (after.isEmpty || key > after) {
            if count == pageSize {
                xml += "<IsTruncated>true</IsTruncated>"
                xml +=
                    "<NextContinuationToken>\(Self.encoded(last).replacing("+", with: "%20"))</NextContinuationToken>"
                break
            }
            last = key
            let rest = key.dropFirst(prefix.count)
            if !delimiter.isEmpty, let slash = rest.firstIndex(of: "/") {
                let common = prefix + rest[...slash]
                if seen.insert(common).inserted {
                    xml += "<CommonPrefixes><Prefix>\(Self.encoded(common))</Prefix></CommonPrefixes>"
                    count += 1
                }
                continue
            }
            xml += "<Contents><Key>\(Self.encoded(key))</Key><Size>\(objects[key]?.bytes.count ?? 0)</Size>"
            xml += "<ETag>&quot;e&quot;</ETag><LastModified>2026-01-02T03:04:05.678Z</LastModified></Contents>"
            count += 1
        }
        return LoopbackResponse(text: xml + "</ListBucketResult>")
    }

    private static func objectAnswer(
        _ request: LoopbackRequest,
        _ bucket: String,
        _ key: String,
        _ state: inout State
    ) -> LoopbackResponse {
        guard let objects = state.buckets[bucket] else { return error(.notFound, "NoSuchBucket") }
        let bytes = Array(buffer: request.body)
        let eTag: HTTPHeaders = ["etag": "\"tag-\(bytes.count)\""]
        let upload = request.parameter("uploadId")
        switch request.method {
        case .PUT:
            if let upload, let number = request.parameter("partNumber").flatMap({ Int($0) }) {
                guard state.uploads[upload] != nil else { return error(.notFound, "NoSuchUpload") }
                state.uploads[upload]?[number] = bytes
            } else {
                let type = request.headers.first(name: "content-type") ?? ""
                state.buckets[bucket]?[key] = Object(bytes: bytes, contentType: type)
            }
            return LoopbackResponse(headers: eTag)
        case .POST:
            if request.parameter("uploads") != nil {
                let id = "upload-\(state.nextUpload)"
                state.nextUpload += 1
                state.uploads[id] = [:]
                return LoopbackResponse(
                    text: "<InitiateMultipartUploadResult><UploadId>\(id)</UploadId></InitiateMultipartUploadResult>")
            }
            guard let upload, let parts = state.uploads.removeValue(forKey: upload) else {
                return error(.notFound, "NoSuchUpload")
            }
            let whole = parts.sorted { $0.key < $1.key }.flatMap(\.value)
            state.buckets[bucket]?[key] = Object(bytes: whole, contentType: "")
            return LoopbackResponse(
                text: "<CompleteMultipartUploadResult><ETag>\"whole\"</ETag></CompleteMultipartUploadResult>")
        case .DELETE:
            if let upload { state.uploads[upload] = nil } else { state.buckets[bucket]?[key] = nil }
            return LoopbackResponse(.noContent)
        default:
            guard let object = objects[key] else { return error(.notFound, "NoSuchKey") }
            var headers: HTTPHeaders = ["content-type": object.contentType, "etag": "\"e\""]
            headers.add(name: "last-modified", value: "Fri, 02 Jan 2026 03:04:05 GMT")
            if request.method == .HEAD {
                headers.add(name: "content-length", value: "\(object.bytes.count)")
                return LoopbackResponse(headers: headers)
            }
            return LoopbackResponse(headers: headers, body: .bytes(ByteBuffer(bytes: object.bytes)))
        }
    }

    private static func bucketList(_ names: [String]) -> LoopbackResponse {
        let list = names.map {
            "<Bucket><Name>\($0)</Name><CreationDate>2026-01-01T00:00:00.000Z</CreationDate></Bucket>"
        }
        let buckets = "<Buckets>\(list.joined())</Buckets>"
        return LoopbackResponse(text: "<ListAllMyBucketsResult>\(buckets)</ListAllMyBucketsResult>")
    }

    /// An error document of S3.
    package static func error(_ status: HTTPResponseStatus, _ code: String, _ message: String = "")
        -> LoopbackResponse
    {
        LoopbackResponse(status, text: "<Error><Code>\(code)</Code><Message>\(message)</Message></Error>")
    }

    /// Undoes percent-encoding; a "+" is a plus.
    package static func decoded(_ text: some StringProtocol) -> String {
        var bytes: [UInt8] = []
        var rest = Substring(text).utf8
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%"), rest.count >= 2, let value = UInt8(Substring(rest.prefix(2)), radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Encodes as AWS does in listings: a space as "+".
    private static func encoded(_ text: String) -> String {
        text.utf8.map { byte in
            switch byte {
            case 0x20: "+"
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A, 0x2D, 0x2E, 0x5F, 0x2F: String(Unicode.Scalar(byte))
            default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }.joined()
    }

    private static func unescaped(_ text: String) -> String {
        var text = text
        for (entity, character) in [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&amp;", "&")] {
            text = text.split(separator: entity, omittingEmptySubsequences: false).joined(separator: character)
        }
        return text
    }
}

extension String {
    /// What follows each occurrence of a mark, up to the next one.
    fileprivate func components(after mark: String) -> [Substring] {
        Array(split(separator: mark, omittingEmptySubsequences: false).dropFirst())
    }
}
