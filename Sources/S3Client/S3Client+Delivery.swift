import AsyncHTTPClient
import Model
import NIOCore
import NIOHTTP1
import S3Wire
package import SystemPackage
import _NIOFileSystem

extension S3Client {
    /// Stores a file's content under a key, as one try of a transfer that is remembered.
    ///
    /// Where an earlier try has arrived, nothing is sent. Above the part size the file goes in parts, of which those
    /// that the store has already are not sent again. After an error the upload stays, for the next try.
    ///
    /// - Throws: `paused` where the pace closes the link; `localFile`, `invalid`, `unreachable`, `refused`, `notFound`
    ///   (the bucket), `malformedAnswer`, `cancelled`.
    package func deliver(
        file: FilePath,
        bucket: String,
        key: String,
        contentType: String = "application/octet-stream",
        record: UploadRecord,
        pace: TransferPace? = nil
    ) async throws(S3ClientError) {
        try checkKey(key)
        let target = DeliveryTarget(bucket: bucket, key: key, contentType: contentType)
        if record.upload == nil, record.mayHaveArrived, try await has(record.token, target) { return }
        try await withFile(file) { (handle, size) async throws(S3ClientError) in
            let whole = FileRange(handle: handle, path: file, range: 0..<size, pace: pace)
            guard size > self.partSize.bytes || record.upload != nil else {
                _ = try await self.putWhole(
                    whole, bucket: bucket, key: key, contentType: contentType, headers: record.headers)
                return
            }
            try await self.deliverParts(whole, target, record)
        }
    }

    /// Whether the store's object of that key is that of the transfer.
    private func has(_ token: String, _ target: DeliveryTarget) async throws(S3ClientError) -> Bool {
        let request = S3Request(method: .HEAD, bucket: target.bucket, key: target.key)
        do {
            return try await exchange(request) { $0.headers.first(name: UploadRecord.metadataName) == token }
        } catch {
            switch error.code {
            // Who may write need not be allowed to look; then it is sent again.
            case .notFound, .refused(status: 403, _), .refused(status: 405, _): return false
            default: throw error
            }
        }
    }

    private func deliverParts(
        _ file: FileRange,
        _ target: DeliveryTarget,
        _ record: UploadRecord
    ) async throws(S3ClientError) {
        var known: [Int: String] = [:]
        var upload = record.upload
        if let begun = upload {
            if let there = try await parts(of: begun, target, record) {
                known = record.parts.filter { number, eTag in
                    there[number].map { $0.eTag == unquoted(eTag) && $0.size == length(ofPart: number, file) } ?? false
                }
            } else {
                // Completed, aborted, or forgotten by the store.
                if try await has(record.token, target) { return }
                upload = nil
            }
        }
        let id: String
        if let upload {
            id = upload
        } else {
            id = try await startUpload(
                bucket: target.bucket, key: target.key, contentType: target.contentType, headers: record.headers)
            try await remember { try await record.setUpload(id, false) }
        }
        let eTags = try await sendParts(file, bucket: target.bucket, key: target.key, upload: id, known: known) {
            number, eTag in try await remember { try await record.addPart(number, eTag) }
        }
        try await complete(target, id, eTags, record)
    }

    private func complete(
        _ target: DeliveryTarget,
        _ upload: String,
        _ eTags: [String],
        _ record: UploadRecord
    ) async throws(S3ClientError) {
        do {
            _ = try await completeUpload(
                bucket: target.bucket, key: target.key, upload: upload, eTags: eTags, headers: record.headers)
        } catch {
            // What it does not take from these parts it will not take later either.
            if case .refused(status: 400, _) = error.code {
                try await remember { try await record.setUpload(nil, true) }
                throw S3ClientError(
                    .malformedAnswer, "\(error.message); the upload is begun anew", cause: error)
            }
            // It may have been completed by a try whose answer was lost.
            guard error.code == .notFound, try await has(record.token, target) else { throw error }
        }
    }

    private func length(ofPart number: Int, _ file: FileRange) -> Int64 {
        let size = Int64(file.range.count)
        let partSize = Self.partSize(forBytes: size, usual: partSize.bytes)
        return min(partSize, size - Int64(number - 1) * partSize)
    }

    /// The parts of an upload that the store has; `nil` where it knows no such upload.
    private func parts(
        of upload: String,
        _ target: DeliveryTarget,
        _ record: UploadRecord
    ) async throws(S3ClientError) -> [Int: S3Documents.ListedPart]? {
        var all: [Int: S3Documents.ListedPart] = [:]
        var marker: Int?
        repeat {
            var request = S3Request(method: .GET, bucket: target.bucket, key: target.key)
            request.query = [("uploadId", upload)]
            if let marker { request.query.append(("part-number-marker", "\(marker)")) }
            let page: S3Documents.PartPage
            do {
                page = try S3Documents.partPage(try await document(request))
            } catch {
                guard error.code != .notFound else { return nil }
                // It cannot say what it has, or may not: then the upload is of no use.
                guard case .refused(let status, _) = error.code, status == 501 || !error.isTransient else {
                    throw error
                }
                try await remember { try await record.setUpload(nil, true) }
                return nil
            }
            for part in page.parts { all[part.number] = part }
            // A store that gives the same page again would never end.
            marker = page.next.flatMap { next in marker.map { next > $0 } ?? true ? next : nil }
        } while marker != nil
        return all
    }

    private func remember(_ work: () async throws -> Void) async throws(S3ClientError) {
        do { try await work() } catch {
            throw S3ClientError(.localFile, "the transfer's progress cannot be recorded: \(error)", cause: error)
        }
    }
}

/// Where a delivery goes.
private struct DeliveryTarget: Sendable {
    let bucket: String
    let key: String
    let contentType: String
}

extension S3Documents {
    /// A part that a store has.
    struct ListedPart: Sendable, Hashable {
        var number: Int
        /// Without quotation marks.
        var eTag: String
        var size: Int64
    }

    /// One page of the parts of an upload.
    struct PartPage: Sendable, Hashable {
        var parts: [ListedPart] = []
        /// What the next page begins after; `nil` on the last one.
        var next: Int?
    }

    static func partPage(_ bytes: [UInt8]) throws(S3ClientError) -> PartPage {
        let root = try root(bytes, "ListPartsResult")
        var page = PartPage()
        for part in root.all("Part") {
            guard let number = part["PartNumber"].flatMap({ Int($0.text) }),
                let size = part["Size"].flatMap({ Int64($0.text) })
            else {
                throw S3ClientError(.malformedAnswer, "the object store's answer has a part without number or size")
            }
            page.parts.append(ListedPart(number: number, eTag: unquoted(part["ETag"]?.text ?? ""), size: size))
        }
        if root["IsTruncated"]?.text == "true" {
            page.next = root["NextPartNumberMarker"].flatMap { Int($0.text) } ?? page.parts.last?.number
        }
        return page
    }
}
