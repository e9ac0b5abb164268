import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import S3Wire

extension S3Responder {
    func createUpload(_ key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        try Self.checkUnsupported(exchange)
        var attributes = try ObjectAttributes(of: exchange.request)
        attributes.accessControl = try requestedAccessControl(exchange)
        let checksum = try Self.checksumAlgorithm(exchange)
        let type = try Self.checksumType(exchange, for: checksum)
        let upload = try await store.createUpload(
            of: key,
            in: bucket,
            attributes: attributes,
            checksum: checksum,
            checksumType: type,
            origin: exchange.origin
        )
        var headers: HTTPFields = [:]
        if let checksum {
            headers.set("x-amz-checksum-algorithm", checksum.rawValue)
            headers.set("x-amz-checksum-type", type.rawValue)
        }
        return .document(
            InitiateMultipartUploadResult(bucket: bucket.text, key: key.text, uploadID: upload.id), headers: headers
        )
    }

    func putPart(_ key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let (uploadID, number) = try (Self.uploadID(exchange), Self.partNumber(exchange))
        let upload = try await store.upload(uploadID, of: key, in: bucket)
        let algorithms = Set([upload.checksumAlgorithm].compactMap { $0 })
        let (staged, summary, given) = try await stageBody(exchange, further: algorithms)
        let checksums = summary.checksumTexts.filter { algorithms.contains($0.key) || given[$0.key] != nil }
        let part = try await store.putPart(
            staged, number: number, of: uploadID, key: key, in: bucket, checksums: checksums
        )
        var headers: HTTPFields = [.eTag: "\"\(part.eTag)\""]
        for (algorithm, value) in part.checksums { headers.set(algorithm.headerName, value) }
        return Response(status: .ok, headers: headers)
    }

    func copyPart(_ key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let (uploadID, number) = try (Self.uploadID(exchange), Self.partNumber(exchange))
        let source = try CopySource(of: exchange.request)
        let wanted = try exchange.header("x-amz-copy-source-range").map { (text) throws(S3Error) in
            try Self.copyRange(text)
        }
        let (part, sourceVersion) = try await withSource(source, exchange) { record in
            if let wanted, wanted.upperBound > record.size.bytes {
                throw S3Error(
                    .invalidArgument, "Range specified is not valid for source object of size: \(record.size.bytes)"
                )
            }
            return try await store.copyPart(
                from: record, range: wanted, number: number, of: uploadID, key: key, in: bucket
            )
        }
        var headers: HTTPFields = [:]
        if let sourceVersion { headers.set("x-amz-copy-source-version-id", sourceVersion.text) }
        return .document(
            CopyResult(kind: .part, eTag: part.eTag, lastModified: part.lastModified, checksums: part.checksums),
            headers: headers
        )
    }

    func listParts(_ key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let page = try PageRequest(exchange.query, limitName: "max-parts")
        let marker = try PageRequest.number("part-number-marker", in: exchange.query) ?? 0
        let uploadID = try Self.uploadID(exchange)
        let listing = try await store.parts(of: uploadID, key: key, in: bucket, after: marker, limit: page.limit)
        return .document(
            ListPartsResult(
                bucket: bucket.text,
                key: key.text,
                uploadID: uploadID,
                owner: exchange.owner,
                storageClass: listing.upload.attributes.storageClass,
                marker: marker,
                maximumParts: page.limit,
                isTruncated: listing.isTruncated,
                parts: listing.parts.map { part in
                    ListPartsResult.Part(
                        number: part.number, lastModified: part.lastModified, eTag: part.eTag, size: part.size.bytes,
                        checksums: part.checksums
                    )
                },
                encoding: page.encoding,
                checksum: listing.upload.checksumAlgorithm.map { ($0, listing.upload.checksumType) }
            )
        )
    }

    func listUploads(_ bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let query = exchange.query
        let page = try PageRequest(query, limitName: "max-uploads")
        let keyMarker = query["key-marker"] ?? ""
        let idMarker = keyMarker.isEmpty ? "" : query["upload-id-marker"] ?? ""
        let listing = try await store.uploads(
            in: bucket,
            prefix: page.prefix,
            delimiter: page.delimiter,
            afterKey: keyMarker.isEmpty ? nil : keyMarker,
            afterID: idMarker.isEmpty ? nil : idMarker,
            limit: page.limit
        )
        var result = ListMultipartUploadsResult(
            bucket: bucket.text, owner: exchange.owner, maximumUploads: page.limit, encoding: page.encoding
        )
        (result.prefix, result.delimiter) = (page.prefix, page.delimiter)
        (result.keyMarker, result.uploadIDMarker) = (keyMarker, idMarker)
        (result.isTruncated, result.commonPrefixes) = (listing.isTruncated, listing.commonPrefixes)
        (result.nextKeyMarker, result.nextUploadIDMarker) = (listing.nextKey, listing.nextID)
        result.uploads = listing.uploads.map { upload in
            .init(
                key: upload.key.text, uploadID: upload.id, initiated: upload.initiated,
                storageClass: upload.attributes.storageClass
            )
        }
        return .document(result)
    }

    func completeUpload(_ key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        let uploadID = try Self.uploadID(exchange)
        let condition = try Self.writeCondition(exchange)
        // The checksum in the header is the object's, not that of the document.
        let document = try await exchange.readDocument(limit: Self.documentLimit, checksumIsOfBody: false)
        let request = try CompleteMultipartUploadRequest(parsing: document)
        let expected = exchange.request.headers.first { ChecksumAlgorithm(headerName: $0.name) != nil }?.value
        let record = try await store.completeUpload(
            uploadID,
            of: key,
            in: bucket,
            parts: request.parts.map { CompletedPart(number: $0.number, eTag: $0.eTag, checksums: $0.checksums) },
            expectedChecksum: expected,
            expectedSize: try Self.announcedSize(exchange),
            condition: condition,
            delivery: exchange.delivery,
            origin: exchange.origin
        )
        let checksums = record.attributes.checksums
        var headers: HTTPFields = [:]
        headers.set(record.version)
        return .document(
            CompleteMultipartUploadResult(
                location: "http://\(exchange.header("host") ?? "")\(S3Path.encoded(bucket: bucket, key: key))",
                bucket: bucket.text,
                key: key.text,
                eTag: record.eTag,
                checksums: checksums,
                checksumType: checksums.isEmpty ? nil : record.attributes.checksumType
            ),
            headers: headers
        )
    }

    func abortUpload(_ key: ObjectKey, in bucket: BucketName, _ exchange: S3Exchange) async throws -> Response {
        try await store.abortUpload(try Self.uploadID(exchange), of: key, in: bucket)
        return .bodiless(.noContent)
    }

    /// The size of the whole object, as the client knows it.
    private static func announcedSize(_ exchange: S3Exchange) throws(S3Error) -> Int64? {
        guard let text = exchange.header("x-amz-mp-object-size") else { return nil }
        guard let size = Int64(text), size >= 0 else {
            throw S3Error(.invalidArgument, "The header x-amz-mp-object-size is not a number of bytes.")
        }
        return size
    }

    private static func uploadID(_ exchange: S3Exchange) throws(S3Error) -> String {
        guard let id = exchange.query["uploadId"], !id.isEmpty else {
            throw S3Error(.invalidArgument, "This operation does not accept an empty uploadId.")
        }
        return id
    }

    private static func partNumber(_ exchange: S3Exchange) throws(S3Error) -> Int {
        let text = exchange.query["partNumber"] ?? ""
        guard let number = Int(text), ObjectStore.partNumbers.contains(number) else {
            throw S3Error(
                .invalidArgument,
                "Part number must be an integer between 1 and 10000, inclusive",
                details: [("ArgumentName", "partNumber"), ("ArgumentValue", text)]
            )
        }
        return number
    }

    /// The range of a source is stricter than that of a GET: both ends are given and lie within.
    private static func copyRange(_ text: String) throws(S3Error) -> Range<Int64> {
        guard case .bounded(let first, let last)? = ByteRange(parsing: text) else {
            throw S3Error(
                .invalidArgument,
                "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the "
                    + "zero-based offsets of the first and last bytes to copy"
            )
        }
        return first..<last + 1
    }

    private static func checksumType(
        _ exchange: S3Exchange,
        for algorithm: ChecksumAlgorithm?
    ) throws(S3Error) -> ChecksumType {
        guard let text = exchange.header("x-amz-checksum-type") else { return algorithm?.defaultType ?? .composite }
        guard let type = ChecksumType(rawValue: text.uppercased()), let algorithm else {
            throw S3Error(.invalidRequest, "Value for x-amz-checksum-type header is invalid.")
        }
        let isPossible =
            switch type {
            case .composite: algorithm != .crc64nvme
            case .fullObject: algorithm.isCombinable
            }
        guard isPossible else {
            throw S3Error(
                .invalidRequest,
                "The \(type.rawValue) checksum type cannot be used with the \(algorithm.rawValue) checksum algorithm."
            )
        }
        return type
    }
}
