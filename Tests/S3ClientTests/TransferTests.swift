import LoopbackServer
import Model
import NIOCore
import NIOHTTP1
import Synchronization
import SystemPackage
import Testing

@testable import S3Client

struct TransferTests {
    @Test(arguments: [0, 1, 1000, 600_000, 1_500_000])
    func filesGoAndComeUnchanged(size: Int) async throws {
        let store = FakeStore(buckets: ["in"])
        try await TemporaryFolder.with { folder in
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31) }
            let source = try folder.appending("source").write(bytes)
            let moved = Mutex((sent: Int64(0), received: Int64(0)))
            let target = folder.appending("target")
            try await withClient(of: store) { client in
                let eTag = try await client.put(
                    file: source, size: Model.ByteCount(Int64(size)), bucket: "in", key: "a/b", contentType: "text/x",
                    progress: { count in moved.withLock { $0.sent += count } })
                #expect(eTag == "tag-\(size)")
                let head = try await client.head(bucket: "in", key: "a/b")
                #expect(head.size.bytes == Int64(size))
                #expect(head.contentType == "text/x")
                #expect(head.lastModified?.rfc3339() == "2026-01-02T03:04:05Z")
                try await client.get(
                    bucket: "in", key: "a/b", to: target,
                    progress: { count in moved.withLock { $0.received += count } })
            }
            #expect(store.object("in", "a/b")?.bytes == bytes)
            #expect(try target.readAll() == bytes)
            #expect(try folder.names() == ["source", "target"])
            #expect(moved.withLock { $0.sent } == Int64(size))
            #expect(moved.withLock { $0.received } == Int64(size))
        }
    }

    @Test func getReplacesAFile() async throws {
        let store = FakeStore()
        store.add("b", "k", "new")
        try await TemporaryFolder.with { folder in
            let target = try folder.appending("file").write("something old".utf8)
            try await withClient(of: store) { client in try await client.get(bucket: "b", key: "k", to: target) }
            #expect(try target.readText() == "new")
        }
    }

    @Test func aBrokenDownloadLeavesTheOldFile() async throws {
        try await TemporaryFolder.with { folder in
            let target = try folder.appending("file").write("old".utf8)
            try await withClient(
                answering: responder { _ in
                    LoopbackResponse(body: .truncated(ByteBuffer(repeating: 1, count: 700_000), length: 1_000_000))
                }
            ) { client in
                let code = await code { () throws(S3ClientError) in
                    try await client.get(bucket: "b", key: "k", to: target)
                }
                #expect(code == .unreachable || code == .malformedAnswer)
            }
            #expect(try target.readText() == "old")
            #expect(try folder.names() == ["file"])
        }
    }

    @Test func saysWhatIsWrongWithLocalFiles() async throws {
        let store = FakeStore(buckets: ["b"])
        store.add("b", "k", "x")
        try await TemporaryFolder.with { folder in
            let file = try folder.appending("file").write("abc".utf8)
            try await withClient(of: store) { client in
                let missing = await code { () throws(S3ClientError) in
                    try await client.put(file: folder.appending("none"), bucket: "b", key: "k")
                }
                #expect(missing == .localFile)
                let isFolder = await code { () throws(S3ClientError) in
                    try await client.put(file: folder, bucket: "b", key: "k")
                }
                #expect(isFolder == .localFile)
                let otherSize = await code { () throws(S3ClientError) in
                    try await client.put(file: file, size: Model.ByteCount(4), bucket: "b", key: "k")
                }
                #expect(otherSize == .localFile)
                let unwritable = await code { () throws(S3ClientError) in
                    try await client.get(bucket: "b", key: "k", to: folder.appending("no").appending("folder"))
                }
                #expect(unwritable == .localFile)
            }
        }
        #expect(store.object("b", "k")?.bytes == Array("x".utf8))
    }

    @Test(arguments: ["", String(repeating: "k", count: 1025), "a\u{0}b"])
    func refusesImpossibleKeys(key: String) async throws {
        try await withClient(of: FakeStore(buckets: ["b"])) { client in
            let refused = await code { () throws(S3ClientError) in
                try await client.put(bytes: [1], bucket: "b", key: key)
            }
            #expect(refused == .invalid)
        }
    }
}

struct MultipartTests {
    @Test func largeFilesGoInParts() async throws {
        let store = FakeStore(buckets: ["b"])
        try await TemporaryFolder.with { folder in
            let bytes = (0..<(5 * 1024 * 1024 + 17)).map { UInt8(truncatingIfNeeded: $0 / 7) }
            let source = try folder.appending("large").write(bytes)
            let moved = Mutex(Int64(0))
            try await withClient(of: store, partSize: .mebibytes(1)) { client in
                let eTag = try await client.put(
                    file: source, bucket: "b", key: "large", progress: { count in moved.withLock { $0 += count } })
                #expect(eTag == "whole")
            }
            #expect(store.object("b", "large")?.bytes == bytes)
            #expect(store.openUploads == 0)
            #expect(store.requests.filter { $0.parameter("partNumber") != nil }.count == 6)
            #expect(moved.withLock { $0 } == Int64(bytes.count))
        }
    }

    /// Sizes and parts in mebibytes.
    private static let sizes: [(Int64, Int64)] = [(1, 64), (64, 64), (640_000, 64), (640_001, 65), (5_242_880, 525)]

    @Test(arguments: sizes)
    func partsStayBelowTheLimitOfTheirNumber(size: Int64, part: Int64) {
        #expect(S3Client.partSize(forBytes: size << 20, usual: 64 << 20) == part << 20)
        #expect((size + part - 1) / part <= 10_000)
    }

    @Test func aFailedPartAbortsTheUpload() async throws {
        let store = FakeStore(buckets: ["b"])
        try await TemporaryFolder.with { folder in
            let source = try folder.appending("large").write([UInt8](repeating: 7, count: 4 << 20))
            try await withClient(
                partSize: .mebibytes(1),
                answering: responder { request in
                    if request.parameter("partNumber") == "3" {
                        return FakeStore.error(.internalServerError, "InternalError")
                    }
                    return store.answer(request)
                }
            ) { client in
                let failed = await code { () throws(S3ClientError) in
                    try await client.put(file: source, bucket: "b", key: "large")
                }
                #expect(failed == .refused(status: 500, s3Code: "InternalError"))
            }
        }
        #expect(store.openUploads == 0)
        #expect(store.keys("b").isEmpty)
    }

    @Test func aSuccessThatIsAnErrorIsAnError() async throws {
        let store = FakeStore(buckets: ["b"])
        try await TemporaryFolder.with { folder in
            let source = try folder.appending("large").write([UInt8](repeating: 7, count: 2 << 20))
            try await withClient(
                partSize: .mebibytes(1),
                answering: responder { request in
                    let isCompletion = request.method == .POST && request.parameter("uploadId") != nil
                    return isCompletion ? FakeStore.error(.ok, "InternalError", "try again") : store.answer(request)
                }
            ) { client in
                let failed = await code { () throws(S3ClientError) in
                    try await client.put(file: source, bucket: "b", key: "large")
                }
                #expect(failed == .refused(status: 500, s3Code: "InternalError"))
            }
        }
        #expect(store.openUploads == 0)
    }

    @Test func aCancelledUploadIsAborted() async throws {
        let store = FakeStore(buckets: ["b"])
        try await TemporaryFolder.with { folder in
            let source = try folder.appending("large").write([UInt8](repeating: 7, count: 4 << 20))
            let (arrived, signal) = AsyncStream.makeStream(of: Void.self)
            try await withClient(
                partSize: .mebibytes(1),
                answering: responder { request in
                    guard request.parameter("partNumber") == "2" else { return store.answer(request) }
                    signal.yield()
                    // Never answers by itself: the end of the connection ends it.
                    return LoopbackResponse(headers: ["etag": "\"x\""], body: .stream(AsyncStream { _ in }))
                }
            ) { client in
                // Awaited below, and cancelled when the second part has arrived.
                let upload = Task {
                    await code { () throws(S3ClientError) in
                        try await client.put(file: source, bucket: "b", key: "large")
                    }
                }
                for await _ in arrived { break }
                upload.cancel()
                #expect(await upload.value != nil)
            }
        }
        #expect(store.openUploads == 0)
        #expect(store.keys("b").isEmpty)
    }
}
