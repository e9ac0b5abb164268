import AsyncHTTPClient
import Model
import NIOCore
import NIOHTTP1

extension S3Client {
    /// How many parts of one object are under way at once.
    static let concurrentParts = 3

    /// The size of the parts for an object of that size: the usual, or as much as keeps their number at 10,000, S3's
    /// limit (S3 user guide, "Multipart upload limits"), in whole mebibytes.
    static func partSize(forBytes bytes: Int64, usual: Int64) -> Int64 {
        let mebibyte: Int64 = 1 << 20
        let needed = (bytes + 9_999) / 10_000
        return needed <= usual ? usual : (needed + mebibyte - 1) / mebibyte * mebibyte
    }

    /// Sends a file in parts.
    ///
    /// Where a part fails, the upload is aborted, so that the store keeps nothing of it.
    func putParts(
        _ file: FileRange,
        bucket: String,
        key: String,
        contentType: String
    ) async throws(S3ClientError) -> String {
        let upload = try await startUpload(bucket: bucket, key: key, contentType: contentType)
        do {
            let eTags = try await sendParts(file, bucket: bucket, key: key, upload: upload)
            return try await completeUpload(bucket: bucket, key: key, upload: upload, eTags: eTags)
        } catch {
            // A task of its own, awaited here, so that the abort is sent also where the caller was cancelled. If the
            // store cannot be reached for it either, the store's own clean-up of stale uploads remains.
            await Task { try? await abortUpload(upload, bucket: bucket, key: key) }.value
            throw error
        }
    }

    /// Makes the store forget an upload and its parts; one that it does not know is success.
    ///
    /// - Throws: `unreachable`, `refused`, `cancelled`.
    package func abortUpload(_ upload: String, bucket: String, key: String) async throws(S3ClientError) {
        var request = S3Request(method: .DELETE, bucket: bucket, key: key)
        request.query = [("uploadId", upload)]
        do {
            _ = try await document(request)
        } catch {
            guard error.code == .notFound else { throw error }
        }
    }

    func startUpload(
        bucket: String,
        key: String,
        contentType: String,
        headers: [(name: String, value: String)] = []
    ) async throws(S3ClientError) -> String {
        var request = S3Request(method: .POST, bucket: bucket, key: key)
        request.query = [("uploads", "")]
        request.headers = [("content-type", contentType)] + headers
        return try S3Documents.uploadID(try await document(request))
    }

    /// Sends the parts that the store does not have, a few at a time, one at a time where the file is slowed down.
    ///
    /// - Parameters:
    ///   - known: the ETags of the parts that the store has.
    ///   - sent: called with the number and the ETag of each part that it has taken.
    /// - Returns: all parts' ETags in order, in quotation marks.
    /// - Throws: `paused` where the pace closes the link; as `sendPart`, and as `sent`.
    func sendParts(
        _ file: FileRange,
        bucket: String,
        key: String,
        upload: String,
        known: [Int: String] = [:],
        sent: @escaping @Sendable (Int, String) async throws -> Void = { _, _ in }
    ) async throws(S3ClientError) -> [String] {
        let size = Int64(file.range.count)
        let partSize = Self.partSize(forBytes: size, usual: partSize.bytes)
        let count = Int((size + partSize - 1) / partSize)
        var missing = (1...max(1, count)).filter { known[$0] == nil }.makeIterator()
        do {
            return try await withThrowingTaskGroup(of: (Int, String).self) { group in
                var eTags = known
                func startNext() throws {
                    guard let number = missing.next() else { return }
                    guard file.pace?.isOpen() ?? true else {
                        throw S3ClientError(.paused, "the link to \(endpoint.text) is closed now")
                    }
                    let first = Int64(number - 1) * partSize
                    let part = FileRange(
                        handle: file.handle, path: file.path, range: first..<min(first + partSize, size),
                        progress: file.progress, pace: file.pace)
                    group.addTask {
                        let eTag = try await sendPart(part, number: number, bucket: bucket, key: key, upload: upload)
                        try await sent(number, eTag)
                        return (number, eTag)
                    }
                }
                for _ in 0..<(file.pace == nil ? Self.concurrentParts : 1) { try startNext() }
                while let (number, eTag) = try await group.next() {
                    eTags[number] = eTag
                    try startNext()
                }
                return eTags.sorted { $0.key < $1.key }.map(\.value)
            }
        } catch {
            throw S3ClientError.wrapping(error, endpoint: endpoint, subject: "\"\(bucket)/\(key)\"")
        }
    }

    func sendPart(
        _ part: FileRange,
        number: Int,
        bucket: String,
        key: String,
        upload: String
    ) async throws(S3ClientError) -> String {
        var request = S3Request(method: .PUT, bucket: bucket, key: key)
        request.query = [("partNumber", "\(number)"), ("uploadId", upload)]
        request.body = .file(part)
        request.patience = Self.patience(for: part)
        let eTag = try await exchange(request) { $0.headers.first(name: "etag") ?? "" }
        guard !eTag.isEmpty else {
            throw S3ClientError(.malformedAnswer, "\(endpoint.text) gave no ETag for part \(number) of \"\(key)\"")
        }
        return eTag
    }

    func completeUpload(
        bucket: String,
        key: String,
        upload: String,
        eTags: [String],
        headers: [(name: String, value: String)] = []
    ) async throws(S3ClientError) -> String {
        var request = S3Request(method: .POST, bucket: bucket, key: key)
        request.query = [("uploadId", upload)]
        request.headers = [("content-type", "application/xml")] + headers
        request.body = .bytes(ByteBuffer(bytes: S3Documents.completion(eTags: eTags)))
        // Stores copy the parts together before they answer, and AWS may take minutes (API reference,
        // CompleteMultipartUpload).
        request.patience = .minutes(15)
        let answer = try await document(request)
        // An answer of 200 can still carry an error: the status was sent before the work was done (the same page).
        if let failure = S3ErrorDocument(rootedAt: "Error", answer) {
            throw S3ClientError.refusal(
                status: 500, document: failure, endpoint: endpoint, subject: request.subject)
        }
        return try S3Documents.completedETag(answer)
    }
}
