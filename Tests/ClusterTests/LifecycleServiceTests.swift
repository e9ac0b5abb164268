import ClusterTesting
import DurableSQLite
import Logging
import LoopbackServer
import Model
import NIOCore
import ObjectEngine
import S3Wire
import Synchronization
import SystemPackage
import Testing

@testable import Cluster

@Suite("Lifecycles of buckets", .timeLimit(.minutes(1)))
struct LifecycleServiceTests {
    /// A clock that tests set.
    final class Clock: Sendable {
        private let time: Mutex<Instant>

        init(_ text: String) { time = Mutex(Instant(rfc3339: text) ?? Instant(seconds: 0)) }

        var now: Instant { time.withLock { $0 } }
        func pass(_ days: Int64) { time.withLock { $0 = $0 + .seconds(days * 86_400) } }
    }

    static let bucket: BucketName = {
        do { return try BucketName("bkt") } catch { preconditionFailure("\(error)") }
    }()

    /// Runs `body` with a store and a lifecycle service of one clock.
    static func run(
        step: Int = 3,
        _ body: @Sendable (ObjectStore, LifecycleService, Clock) async throws -> Void
    ) async throws {
        let clock = Clock("2024-01-01T12:00:00Z")
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        try await TemporaryFolder.with { folder in
            let store = try await ObjectStore.open(
                at: folder, durability: .never, logger: logger, now: { clock.now })
            var settings = LifecycleService.Settings()
            settings.pause = .zero
            settings.step = step
            let service = LifecycleService(store: store, settings: settings, now: { clock.now }, logger: logger)
            _ = try await store.createBucket(bucket, owner: "o")
            do { try await body(store, service, clock) } catch {
                await store.close()
                throw error
            }
            await store.close()
        }
    }

    static func set(_ store: ObjectStore, _ rules: LifecycleRule...) async throws {
        let document = String(decoding: LifecycleConfiguration(rules: rules).xml, as: UTF8.self)
        try await store.set([.lifecycle: document], of: bucket)
    }

    @Test("objects go when their day has come, and no others")
    func expiry() async throws {
        try await Self.run { store, service, clock in
            for number in 0..<10 { try await store.put("x", "logs/\(number)", in: Self.bucket) }
            for number in 0..<10 { try await store.put("x", "keep/\(number)", in: Self.bucket) }
            await service.round()
            #expect(try await store.statistics().objects == 20)
            try await Self.set(store, LifecycleRule(id: "r", filter: .init(prefix: "logs/"), expiration: .days(2)))
            clock.pass(2)
            try await store.put("x", "logs/new", in: Self.bucket)
            await service.round()
            #expect(try await store.statistics().objects == 21)
            clock.pass(1)
            await service.round()
            let left = try await store.list(bucket: Self.bucket).objects.map(\.key.text)
            #expect(left == (0..<10).map { "keep/\($0)" } + ["logs/new"])
        }
    }

    @Test("uploads that nobody finished are given up")
    func uploads() async throws {
        try await Self.run { store, service, clock in
            let origin = RequestOrigin(principal: "p", sourceAddress: "")
            for key in ["a/1", "a/1", "a/2", "a/3", "a/4", "b/1"] {
                _ = try await store.createUpload(
                    of: try ObjectKey(key), in: Self.bucket, attributes: ObjectAttributes(), origin: origin)
            }
            try await Self.set(store, LifecycleRule(id: "r", filter: .init(prefix: "a/"), abortsUploadsAfter: 1))
            await service.round()
            #expect(try await store.uploads(in: Self.bucket).uploads.count == 6)
            clock.pass(2)
            await service.round()
            #expect(try await store.uploads(in: Self.bucket).uploads.map(\.key.text) == ["b/1"])
        }
    }

    @Test("expiry makes events of its own kind where somebody asks")
    func events() async throws {
        try await Self.run { store, service, clock in
            try await store.put("x", "1", in: Self.bucket)
            try await Self.set(store, LifecycleRule(id: "r", expiration: .days(1)))
            try await store.set([.expiryEvents: "asked"], of: Self.bucket)
            clock.pass(3)
            await service.round()
            let events = try await store.events(after: 0, limit: 10)
            #expect(events.map(\.cause) == [.put, .expiry])
            #expect(events.last?.minioJSON()["EventName"]?.stringValue == "s3:LifecycleExpiration:Delete")
        }
    }

    @Test(
        "a lifecycle that cannot be read deletes nothing",
        arguments: [
            "", "rubbish", "<LifecycleConfiguration/>",
            "<LifecycleConfiguration><Rule><ID>a</ID><Filter/><Status>Enabled</Status><Expiration><Days>1</Days>"
                + "</Expiration><FromTheFuture/></Rule></LifecycleConfiguration>",
        ])
    func unreadable(document: String) async throws {
        try await Self.run { store, service, clock in
            try await store.put("x", "1", in: Self.bucket)
            try await store.set([.lifecycle: document], of: Self.bucket)
            clock.pass(1000)
            await service.round()
            #expect(try await store.statistics().objects == 1)
        }
    }

    @Test("earlier versions go when they have been replaced for long enough, but for the newest that are to stay")
    func noncurrentVersions() async throws {
        try await Self.run(step: 2) { store, service, clock in
            try await store.setVersioning(enabled: true, of: Self.bucket)
            var rule = LifecycleRule(id: "r")
            rule.noncurrent = .init(days: 3, newerVersions: 1)
            try await Self.set(store, rule)
            for number in 0..<5 { try await store.put("\(number)", "a", in: Self.bucket) }
            try await store.put("other", "b", in: Self.bucket)
            await service.round()
            #expect(try await store.listVersions(in: Self.bucket).versions.count == 6)
            clock.pass(5)
            await service.round()
            let left = try await store.listVersions(in: Self.bucket).versions
            #expect(left.map(\.key.text) == ["a", "a", "b"])
            #expect(left.map(\.isLatest) == [true, false, true])
        }
    }

    @Test("an object that expires in a versioned bucket becomes a version; a marker that is all that is left goes")
    func markers() async throws {
        try await Self.run { store, service, clock in
            try await store.setVersioning(enabled: true, of: Self.bucket)
            var rule = LifecycleRule(id: "r")
            rule.expiration = .days(1)
            rule.noncurrent = .init(days: 1)
            try await Self.set(store, rule)
            try await store.put("x", "a", in: Self.bucket)
            clock.pass(3)
            await service.round()
            let kept = try await store.listVersions(in: Self.bucket).versions
            #expect(kept.map(\.isLatest) == [true, false])
            #expect(try await store.object(ObjectKey("a"), in: Self.bucket) == nil)
            clock.pass(3)
            await service.round()
            #expect(try await store.listVersions(in: Self.bucket).versions.isEmpty)
        }
    }

    @Test("a rule that asks for tags finds those of the object")
    func tags() async throws {
        try await Self.run { store, service, clock in
            var rule = LifecycleRule(id: "r")
            rule.expiration = .days(1)
            rule.filter.tags = [TagSet.Tag(key: "kind", value: "scratch")]
            try await Self.set(store, rule)
            for key in ["a", "b"] { try await store.put("x", key, in: Self.bucket) }
            let tags = try TagSet([TagSet.Tag(key: "kind", value: "scratch")])
            _ = try await store.setTags(tags, of: ObjectKey("a"), in: Self.bucket)
            clock.pass(3)
            await service.round()
            #expect(try await store.list(bucket: Self.bucket).objects.map(\.key.text) == ["b"])
        }
    }
}

extension ObjectStore {
    fileprivate func put(_ text: String, _ key: String, in bucket: BucketName) async throws {
        let staged = stage()
        try await staged.write(ByteBuffer(string: text))
        _ = try await staged.finish()
        _ = try await put(
            staged, as: try ObjectKey(key), in: bucket, attributes: ObjectAttributes(),
            origin: RequestOrigin(principal: "p", sourceAddress: "")
        )
    }
}
