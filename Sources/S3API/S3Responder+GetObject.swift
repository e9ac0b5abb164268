import HTTPTypes
import Hummingbird
import HummingbirdCore
import Model
import NIOCore
import ObjectEngine
import S3Wire

extension S3Responder {
    /// Answers GET, and HEAD without content.
    func getObject(
        _ key: ObjectKey,
        in bucket: BucketName,
        withContent: Bool,
        _ exchange: S3Exchange
    ) async throws -> Response {
        let version = try exchange.version()
        if exchange.proof.principal == .anonymous,
            exchange.query.items.contains(where: { $0.name.hasPrefix("response-") })
        {
            throw S3Error(
                .invalidRequest, "Request specific response headers cannot be used for anonymous GET requests.")
        }
        while true {
            let found = try await find(key, version: version, in: bucket, exchange)
            do {
                return try await get(found, withContent: withContent, exchange)
            } catch let error as ObjectStoreError where error.code == .contentReplaced {
                // A new version came between the look-up and the opening: look again.
                continue
            }
        }
    }

    /// An object in the version that is asked for, and where its content is.
    ///
    /// The latest may be in memory.
    private func find(
        _ key: ObjectKey,
        version: VersionID?,
        in bucket: BucketName,
        _ exchange: S3Exchange
    ) async throws -> FoundObject {
        if version == nil, let found = try await store.find(key, in: bucket) {
            try await requireReading(found.record, version: nil, exchange)
            return found
        }
        let record = try await store.find(key, version: version, in: bucket).object(key, version: version)
        try await requireReading(record, version: version, exchange)
        return try await store.locate(record)
    }

    private func get(_ found: FoundObject, withContent: Bool, _ exchange: S3Exchange) async throws -> Response {
        let record = found.record
        guard try Self.isWanted(record, exchange.request) else {
            return .bodiless(.notModified, headers: Self.validators(of: record))
        }
        let range = try await range(of: record, exchange)
        var headers = Self.headers(of: record, range: range, exchange.request)
        await markExpiry(of: record, on: &headers)
        Self.applyOverrides(exchange.query, to: &headers)
        let length = range.map { $0.upperBound - $0.lowerBound } ?? record.size.bytes
        let status: HTTPResponse.Status = range == nil ? .ok : .partialContent
        guard withContent else { return Response(status: status, headers: headers) }
        let reader = try await store.open(found, range: range)
        return Response(status: status, headers: headers, body: try await Self.body(reader, length: length, exchange))
    }

    /// Whether the request's conditions let the object be sent; not, where the client has it already.
    ///
    /// - Throws: `S3Error` with `preconditionFailed`, and `invalidRequest` for what objects here have not.
    static func isWanted(_ record: ObjectRecord, _ request: ReceivedRequest) throws(S3Error) -> Bool {
        guard request.header("x-amz-server-side-encryption-customer-algorithm") == nil else {
            throw S3Error(.invalidRequest, "The encryption parameters are not applicable to this object.")
        }
        let conditions = RequestConditions(header: request.header)
        switch conditions.evaluate(eTag: record.eTag, lastModified: record.lastModified) {
        case .proceed: return true
        case .notModified: return false
        case .failed: throw S3Error(.preconditionFailed)
        }
    }

    private static func validators(of record: ObjectRecord) -> HTTPFields {
        var headers: HTTPFields = [
            .eTag: "\"\(record.eTag)\"", .lastModified: HTTPDate.text(record.lastModified), .acceptRanges: "bytes",
        ]
        headers.set(record.version)
        return headers
    }

    /// The headers of an answer with the object or a range of it.
    static func headers(of record: ObjectRecord, range: Range<Int64>?, _ request: ReceivedRequest) -> HTTPFields {
        var headers = validators(of: record)
        record.attributes.write(to: &headers)
        if let count = record.partCount, request.query.contains("partNumber") {
            headers.set("x-amz-mp-parts-count", String(count))
        }
        headers[.contentLength] = String(range.map { $0.upperBound - $0.lowerBound } ?? record.size.bytes)
        if let range, range.isEmpty {
            // An empty part: no range of bytes can be named.
        } else if let range {
            headers[.contentRange] = "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(record.size.bytes)"
        } else if request.header("x-amz-checksum-mode")?.uppercased() == "ENABLED" {
            record.attributes.writeChecksums(to: &headers)
        }
        return headers
    }

    /// Content up to this size, in bytes, is sent together with the head of its answer.
    private static let smallContent: Int64 = 64 << 10

    private static func body(
        _ reader: ContentReader,
        length: Int64,
        _ exchange: S3Exchange
    ) async throws -> ResponseBody {
        let metrics = exchange.metrics
        let first = length <= smallContent ? try await reader.next() : nil
        if let first, first.readableBytes == Int(length) {
            metrics.sent(first.readableBytes)
            return ResponseBody(byteBuffer: first)
        }
        let channel = exchange.channel
        return ResponseBody(contentLength: Int(length)) { writer in
            defer { reader.close() }
            // The first chunk is in memory already; the kernel copies the rest from file to socket.
            let chunk = if let first { first } else { try await reader.next() }
            if let chunk {
                metrics.sent(chunk.readableBytes)
                try await writer.write(chunk)
            }
            var region = try await reader.nextRegion()
            while let current = region {
                // The next is read and verified while the kernel sends this one.
                async let next = reader.nextRegion()
                // Both run on this connection's thread, which sends until the socket is full: the other one goes first.
                await Task.yield()
                try await OutboundEvents.send(current, on: channel)
                metrics.sent(current.range.count)
                region = try await next
            }
            try await writer.finish(nil)
        }
    }

    /// The range that is asked for, by `Range` or `partNumber`; `nil` for all.
    private func range(of record: ObjectRecord, _ exchange: S3Exchange) async throws -> Range<Int64>? {
        if let part = exchange.query["partNumber"] {
            guard exchange.header("range") == nil else {
                throw S3Error(.invalidRequest, "Cannot specify both Range header and partNumber query parameter")
            }
            guard let number = Int(part), (1...10_000).contains(number) else {
                throw S3Error(.invalidArgument, "The part number must be an integer from 1 to 10000.")
            }
            guard let range = try await store.range(ofPart: number, of: record) else {
                throw S3Error(.invalidPartNumber, details: [("ActualPartCount", String(record.partCount ?? 1))])
            }
            return record.size == .zero ? nil : range
        }
        guard let header = exchange.header("range"), let range = ByteRange(parsing: header) else { return nil }
        if let validator = exchange.header("if-range") {
            // Where the object has changed since the client got its first part, it wants all of it (RFC 9110,
            // 13.1.5).
            let isSame =
                HTTPDate.parse(validator).map { record.lastModified.seconds == $0.seconds }
                ?? (ETagCondition.unquoted(validator) == record.eTag)
            guard isSame else { return nil }
        }
        return try range.resolved(size: record.size.bytes)
    }

    /// `response-content-type` and the like: what a link says about how the object is to be shown.
    private static func applyOverrides(_ query: QueryItems, to headers: inout HTTPFields) {
        for name in [
            "cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires",
        ] {
            if let value = query["response-\(name)"] { headers.set(name, value) }
        }
    }
}
