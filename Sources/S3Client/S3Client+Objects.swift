import AsyncHTTPClient
package import Model
package import NIOCore
import NIOHTTP1
import S3Wire
package import SystemPackage
import _NIOFileSystem

extension S3Client {
    /// Stores a file's content under a key, with flat memory.
    ///
    /// An object of that key is replaced, all at once.
    ///
    /// - Parameters:
    ///   - size: what the file must have, or `nil` to take what it has.
    ///   - progress: called with the bytes sent since its last call. A part that fails is not counted back.
    /// - Returns: the object's ETag without quotation marks.
    /// - Throws: `localFile`, `invalid`, `unreachable`, `refused`, `notFound` (the bucket), `malformedAnswer`,
    ///   `cancelled`. After an error the key has what it had before.
    @discardableResult
    package func put(
        file: FilePath,
        size: Model.ByteCount? = nil,
        bucket: String,
        key: String,
        contentType: String = "application/octet-stream",
        progress: S3Progress? = nil
    ) async throws(S3ClientError) -> String {
        try checkKey(key)
        return try await withFile(file) { (handle, actual) async throws(S3ClientError) in
            if let size, size.bytes != actual {
                throw S3ClientError(
                    .localFile, "\(file) has \(actual) bytes, not the \(size.bytes) that it should have")
            }
            let whole = FileRange(handle: handle, path: file, range: 0..<actual, progress: progress)
            guard actual > self.partSize.bytes else {
                return try await self.putWhole(whole, bucket: bucket, key: key, contentType: contentType)
            }
            return try await self.putParts(whole, bucket: bucket, key: key, contentType: contentType)
        }
    }

    /// Stores a few bytes under a key; for what is in memory anyway.
    ///
    /// - Returns: the object's ETag without quotation marks.
    /// - Throws: as `put(file:)`, but for `localFile`.
    @discardableResult
    package func put(
        bytes: [UInt8],
        bucket: String,
        key: String,
        contentType: String = "application/octet-stream"
    ) async throws(S3ClientError) -> String {
        try checkKey(key)
        var request = S3Request(method: .PUT, bucket: bucket, key: key)
        request.headers = [("content-type", contentType)]
        request.body = .bytes(ByteBuffer(bytes: bytes))
        return try await exchange(request) { $0.eTag }
    }

    /// Fetches an object into a file: into a temporary one beside it, which takes the name when all bytes are there.
    ///
    /// - Parameter progress: called with the bytes received since its last call.
    /// - Throws: as `put(file:)`; `malformedAnswer` when the answer ends early. After an error nothing is left behind
    ///   and an existing file is untouched.
    @discardableResult
    package func get(
        bucket: String,
        key: String,
        to file: FilePath,
        progress: S3Progress? = nil
    ) async throws(S3ClientError) -> S3Object {
        try checkKey(key)
        return try await exchange(S3Request(method: .GET, bucket: bucket, key: key)) { response in
            let object = response.object(key: key)
            let received = try await Self.save(response.body, to: file, progress: progress)
            guard response.headers.first(name: "content-length") == nil || received == object.size.bytes else {
                throw S3ClientError(
                    .malformedAnswer, "only \(received) of \(object.size.bytes) bytes of \"\(key)\" came")
            }
            return object
        }
    }

    /// Fetches an object piece by piece.
    ///
    /// - Parameter receive: takes the pieces in order; the next one is read when it returns.
    /// - Throws: as `get(to:)`, but for `localFile`; what `receive` throws is the cause.
    package func get(
        bucket: String,
        key: String,
        receive: (ByteBuffer) async throws -> Void
    ) async throws(S3ClientError) {
        try checkKey(key)
        try await exchange(S3Request(method: .GET, bucket: bucket, key: key)) { response in
            for try await chunk in response.body { try await receive(chunk) }
        }
    }

    /// An object's size, type and time without its content.
    ///
    /// - Throws: `notFound` where there is none; `unreachable`, `refused`, `invalid`, `cancelled`.
    package func head(bucket: String, key: String) async throws(S3ClientError) -> S3Object {
        try checkKey(key)
        return try await exchange(S3Request(method: .HEAD, bucket: bucket, key: key)) { $0.object(key: key) }
    }

    /// Removes an object; one that is not there counts as removed.
    ///
    /// - Throws: `notFound` where there is no such bucket; `unreachable`, `refused`, `invalid`, `cancelled`.
    package func delete(bucket: String, key: String) async throws(S3ClientError) {
        try checkKey(key)
        _ = try await document(S3Request(method: .DELETE, bucket: bucket, key: key))
    }

    func putWhole(
        _ file: FileRange,
        bucket: String,
        key: String,
        contentType: String,
        headers: [(name: String, value: String)] = []
    ) async throws(S3ClientError) -> String {
        var request = S3Request(method: .PUT, bucket: bucket, key: key)
        request.headers = [("content-type", contentType)] + headers
        request.body = .file(file)
        request.patience = Self.patience(for: file)
        return try await exchange(request) { $0.eTag }
    }

    /// A minute, and a second for every 64 KiB: slower than that is taken for stalled; or what its pace says.
    static func patience(for file: FileRange) -> TimeAmount {
        let bytes = Int64(file.range.count)
        let usual = TimeAmount.seconds(60 + bytes / (64 << 10))
        return file.pace.map { max(usual, TimeAmount($0.patience(bytes))) } ?? usual
    }

    func checkKey(_ key: String) throws(S3ClientError) {
        do {
            _ = try ObjectKey(key)
        } catch {
            throw S3ClientError(.invalid, error.message, cause: error)
        }
    }

    /// Writes a body to a temporary file in chunks and gives it its name at the end.
    private static func save(
        _ body: HTTPClientResponse.Body,
        to file: FilePath,
        progress: S3Progress?
    ) async throws -> Int64 {
        func local<Value>(_ work: () async throws -> Value) async throws -> Value {
            do {
                return try await work()
            } catch {
                throw S3ClientError(.localFile, "cannot write \(file): \(error)", cause: error)
            }
        }
        let handle = try await local {
            try await FileSystem.shared.openFile(
                forWritingAt: file,
                options: .newFile(replaceExisting: true, permissions: [.ownerReadWrite, .groupRead, .otherRead]))
        }
        do {
            var position: Int64 = 0
            var pending = ByteBuffer()
            func flush() async throws {
                let bytes = pending
                position += try await local { try await handle.write(contentsOf: bytes, toAbsoluteOffset: position) }
                progress?(Int64(bytes.readableBytes))
                pending.clear()
            }
            for try await var chunk in body {
                pending.writeBuffer(&chunk)
                if pending.readableBytes >= Int(FileRange.chunkLength) { try await flush() }
            }
            if pending.readableBytes > 0 { try await flush() }
            try await local { try await uncancellable { try await handle.close(makeChangesVisible: true) } }
            return position
        } catch {
            // The first error is the one to report; the temporary file goes either way.
            try? await uncancellable { try await handle.close(makeChangesVisible: false) }
            throw error
        }
    }

    /// Opens a file for reading and closes it after `body`.
    func withFile<Result>(
        _ path: FilePath,
        _ body: (ReadFileHandle, _ size: Int64) async throws(S3ClientError) -> Result
    ) async throws(S3ClientError) -> Result {
        let handle: ReadFileHandle
        let size: Int64
        do {
            handle = try await FileSystem.shared.openFile(forReadingAt: path, options: .init())
        } catch {
            throw S3ClientError(.localFile, "cannot read \(path): \(error)", cause: error)
        }
        do {
            let info = try await handle.info()
            guard info.type == .regular else {
                throw S3ClientError(.localFile, "\(path) is not a regular file")
            }
            size = info.size
            let result = try await body(handle, size)
            try await uncancellable { try await handle.close() }
            return result
        } catch {
            // Closing a file that was only read loses nothing.
            try? await uncancellable { try await handle.close() }
            if let known = error as? S3ClientError { throw known }
            throw S3ClientError(.localFile, "cannot read \(path): \(error)", cause: error)
        }
    }
}

/// Does something also where the calling task was cancelled: a handle whose `close` is cancelled would stay open.
private func uncancellable(_ work: @escaping @Sendable () async throws -> Void) async throws {
    // A task of its own, awaited right here.
    try await Task { try await work() }.value
}

extension HTTPClientResponse {
    /// The answer's ETag without quotation marks; empty where there is none.
    var eTag: String { unquoted(headers.first(name: "etag") ?? "") }

    /// The object that the answer's headers describe.
    func object(key: String) -> S3Object {
        S3Object(
            key: key,
            size: Model.ByteCount(headers.first(name: "content-length").flatMap { Int64($0) } ?? 0),
            eTag: eTag,
            lastModified: headers.first(name: "last-modified").flatMap { HTTPDate.parse($0) },
            contentType: headers.first(name: "content-type") ?? ""
        )
    }
}
