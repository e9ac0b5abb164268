import Hummingbird
import Logging
import Model
import NIOCore
import ObjectEngine
import S3Wire

/// One authenticated request on its way to its answer.
struct S3Exchange: Sendable {
    let request: ReceivedRequest
    let body: RequestBody
    let proof: S3Authentication.Proof
    let sourceAddress: String
    /// The bucket that it is about; `nil` for the whole store.
    let bucket: BucketName?
    /// What is known of that bucket; `nil` where there is none.
    let facts: BucketFacts?
    let time: Instant
    let metrics: S3Metrics
    /// Where the answer goes.
    let channel: any Channel

    /// Who makes it, for the event that it causes.
    var origin: RequestOrigin {
        let trace = header("traceparent").flatMap { TraceContext(traceparent: $0) }
        return RequestOrigin(
            principal: proof.principal.name, sourceAddress: sourceAddress, trace: trace?.traceparent)
    }

    /// The owner that answers name: of the bucket, and so of all that is in it.
    var owner: OwnerElement {
        let name = facts?.owner ?? origin.principal
        return OwnerElement(id: name, displayName: name)
    }

    var isByAdministrator: Bool {
        guard case .administrator = proof.principal else { return false }
        return true
    }

    /// What conditions of policies can ask for.
    ///
    /// - Parameter isList: whether the bucket is listed.
    func policyFacts(isList: Bool) -> PolicyFacts {
        PolicyFacts(
            of: request, by: proof.principal, method: proof.method, isList: isList, sourceAddress: sourceAddress,
            now: time
        )
    }

    /// The same by somebody else, with another request.
    func replacing(_ request: ReceivedRequest, proof: S3Authentication.Proof) -> S3Exchange {
        S3Exchange(
            request: request, body: body, proof: proof, sourceAddress: sourceAddress, bucket: bucket, facts: facts,
            time: time, metrics: metrics, channel: channel
        )
    }

    var query: QueryItems { request.query }

    /// The value of a header with that lower-case name.
    func header(_ name: String) -> String? { request.header(name) }

    /// What another cluster calls what it delivers; `nil` for what anybody else writes, and for those without a name, who
    /// could fill the store with receipts.
    var delivery: DeliveryToken? {
        proof.principal == .anonymous ? nil : header("x-apus-delivery").flatMap(DeliveryToken.init)
    }

    /// The length of the content in bytes, without any framing, as the client announces it.
    ///
    /// - Throws: `S3Error` with `missingContentLength`.
    func announcedLength() throws(S3Error) -> Int64 {
        let name = proof.payload.isChunked ? "x-amz-decoded-content-length" : "content-length"
        guard let text = header(name) else { throw S3Error(.missingContentLength) }
        guard let length = Int64(text), length >= 0 else {
            throw S3Error(.invalidArgument, "The header \(name) is not a number of bytes.")
        }
        return length
    }

    /// Reads the body, piece by piece, as fast as `sink` takes it.
    ///
    /// The signatures of chunks are verified on the way, the digests of the whole are not: that is for
    /// `ExpectedDigests`.
    ///
    /// - Returns: the fields of the trailer.
    /// - Throws: `S3Error` with `incompleteBody`, `missingContentLength` and what `ChunkedPayloadDecoder` throws, and
    ///   what `sink` throws.
    func readBody(_ sink: (ByteBuffer) async throws -> Void) async throws -> [(name: String, value: String)] {
        let length = try announcedLength()
        if proof.payload.isChunked { return try await readChunks(length: length, sink) }
        var received: Int64 = 0
        for try await buffer in body {
            received += Int64(buffer.readableBytes)
            metrics.received(buffer.readableBytes)
            guard received <= length else { throw S3Error(.incompleteBody) }
            try await sink(buffer)
        }
        guard received == length else { throw S3Error(.incompleteBody) }
        return []
    }

    private func readChunks(
        length: Int64,
        _ sink: (ByteBuffer) async throws -> Void
    ) async throws -> [(name: String, value: String)] {
        var decoder = ChunkedPayloadDecoder(
            payload: proof.payload, signatures: proof.signatures, decodedLength: length
        )
        for try await buffer in body {
            metrics.received(buffer.readableBytes)
            let ranges = try buffer.withUnsafeReadableBytes { try decoder.decode($0) }
            for range in ranges {
                guard let slice = buffer.getSlice(at: buffer.readerIndex + range.lowerBound, length: range.count) else {
                    continue
                }
                try await sink(slice)
            }
        }
        return try decoder.finish()
    }

    /// Reads a body that is a small document, and verifies its digests.
    ///
    /// - Parameters:
    ///   - limit: in bytes.
    ///   - checksumIsOfBody: false where the checksum in the headers is of something else.
    /// - Throws: `S3Error` with `entityTooLarge`, and as `readBody` and `ExpectedDigests`.
    func readDocument(limit: Int, checksumIsOfBody: Bool = true) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        let expected = try ExpectedDigests(
            of: request, payload: proof.payload, checksumIsOfBody: checksumIsOfBody
        )
        guard try documentLength() > 0 else { return [] }
        let trailer = try await readBody { buffer in
            guard bytes.count + buffer.readableBytes <= limit else { throw S3Error(.entityTooLarge) }
            bytes.append(contentsOf: buffer.readableBytesView)
        }
        var checksums: [ChecksumAlgorithm: [UInt8]] = [:]
        for algorithm in expected.algorithms { checksums[algorithm] = Checksum.of(bytes, algorithm) }
        _ = try expected.verify(md5: MD5Digest.of(bytes), checksums: checksums, trailer: trailer)
        return bytes
    }

    /// Documents may be missing altogether; then clients need not say how long they are.
    private func documentLength() throws(S3Error) -> Int64 {
        guard proof.payload.isChunked || header("content-length") != nil || header("transfer-encoding") != nil else {
            return 0
        }
        return try announcedLength()
    }
}
