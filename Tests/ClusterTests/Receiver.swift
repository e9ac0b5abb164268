import ClusterTesting
import DurableSQLite
import Hummingbird
import Logging
import LoopbackServer
import Model
import NIOCore
import ObjectEngine
import S3API
import S3Wire
import SystemPackage

@testable import Cluster

/// Another Apus's object store, behind its S3 face.
struct Receiver: Sendable {
    let store: ObjectStore
    let port: Int

    /// Runs `body` with a store that has the bucket `results`.
    static func with(_ body: @escaping @Sendable (Receiver) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            let logger = Logger(label: "receiver") { _ in SwiftLogNoOpLogHandler() }
            let now = ClusterFixture.now
            let store = try await ObjectStore.open(
                at: folder, durability: .never, logger: logger, now: now)
            let responder = S3Responder(
                store: store, domains: ["localhost"],
                secret: { $0 == "access" ? ("secret-key", .administrator(name: "edge")) : nil },
                notificationRefusal: { _, _, _ in nil }, now: now)
            _ = try await store.createBucket(try BucketName("results"), owner: "edge")
            let (ports, running) = AsyncStream.makeStream(of: Int.self, bufferingPolicy: .bufferingNewest(1))
            let application = Application(
                responder: responder, server: S3Server.http1(),
                configuration: .init(address: .hostname("127.0.0.1", port: 0)),
                onServerRunning: { running.yield($0.localAddress?.port ?? 0) }, logger: logger)
            try await withThrowingTaskGroup(of: Void.self) { group in
                // Ended by the cancellation below, whatever it then throws.
                group.addTask { try await application.runService(gracefulShutdownSignals: []) }
                defer { group.cancelAll() }
                for await port in ports {
                    try await body(Receiver(store: store, port: port))
                    break
                }
            }
            await store.close()
        }
    }

    /// The keys for which there was an event, in order; a key that was written twice is there twice.
    func events() async throws -> [String] {
        try await store.events(after: 0, limit: 10_000).map(\.key.text)
    }

    func bytes(_ key: String) async throws -> [UInt8]? {
        guard let (_, reader) = try await store.open(try ObjectKey(key), in: try BucketName("results")) else {
            return nil
        }
        var all: [UInt8] = []
        while let chunk = try await reader.next() { all += chunk.readableBytesView }
        return all
    }

    func openUploads() async throws -> Int {
        try await store.uploads(in: try BucketName("results")).uploads.count
    }
}
