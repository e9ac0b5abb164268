package import Logging
import Metrics
package import Model
package import ObjectEngine
import S3Wire
import ServiceLifecycle

/// Deletes what the lifecycles of buckets say: objects that have expired, earlier versions, delete markers that are
/// all that is left, uploads that nobody finished.
///
/// Goes through a bucket in small steps with pauses between them, so that requests hardly notice. A lifecycle that it
/// cannot read deletes nothing.
package final class LifecycleService: Service {
    /// How the walk goes.
    package struct Settings: Sendable {
        /// Between the ends of two rounds.
        package var interval = Duration.seconds(3600)
        /// Between two steps of a round.
        package var pause = Duration.milliseconds(20)
        /// How many objects or uploads a step looks at.
        package var step = 500

        package init() {}
    }

    private let store: ObjectStore
    private let settings: Settings
    private let trustsAges: @Sendable () -> Bool
    private let now: @Sendable () -> Instant
    private let logger: Logger
    private let objects = counter("object")
    private let versions = counter("version")
    private let uploads = counter("upload")

    package init(
        store: ObjectStore,
        settings: Settings = Settings(),
        trustsAges: @escaping @Sendable () -> Bool = { true },
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.store = store
        self.settings = settings
        self.trustsAges = trustsAges
        self.now = now
        self.logger = logger
    }

    private static func counter(_ kind: String) -> Counter {
        Counter(label: "apus_lifecycle_removed_total", dimensions: [("kind", kind)])
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown { [self] in
            while !Task.isCancelled {
                await round()
                try? await Task.sleep(for: settings.interval)  // Cancellation is seen by the loop.
            }
        }
    }

    /// Goes once through all buckets that have a lifecycle.
    package func round() async {
        // Ages are wrong where the clock is.
        guard trustsAges() else { return }
        do {
            for (bucket, document) in try await store.documents(.lifecycle) {
                guard !Task.isCancelled else { return }
                await go(through: bucket, document)
            }
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning("the lifecycles of buckets cannot be read", metadata: ["error": "\(error)"])
        }
    }

    /// What a round has deleted in a bucket.
    private struct Tally {
        var objects = 0
        var bytes: Int64 = 0
        /// Earlier versions and delete markers.
        var versions = 0
        var uploads = 0

        var isEmpty: Bool { objects + versions + uploads == 0 }
    }

    private func go(through bucket: BucketName, _ document: String) async {
        let lifecycle: LifecycleConfiguration
        do throws(S3Error) {
            lifecycle = try LifecycleConfiguration(parsing: Array(document.utf8), newID: { "" })
        } catch {
            return logger.error(
                "a lifecycle cannot be read, so nothing is deleted; put it again",
                metadata: ["bucket": "\(bucket)", "error": "\(error.message)"]
            )
        }
        let walk = Walk(bucket: bucket, document: document, lifecycle: lifecycle)
        var tally = Tally()
        do {
            try await expireObjects(walk, &tally)
            try await expireVersions(walk, &tally)
            try await expireMarkers(walk, &tally)
            try await abortUploads(walk, &tally)
        } catch let error as ObjectStoreError where error.code == .noSuchBucket {
            // Deleted meanwhile.
        } catch {
            if !Task.isCancelled {
                logger.warning(
                    "a bucket's lifecycle stopped early; the next round goes on",
                    metadata: ["bucket": "\(bucket)", "error": "\(error)"]
                )
            }
        }
        guard !tally.isEmpty else { return }
        logger.info(
            "a lifecycle has deleted",
            metadata: [
                "bucket": "\(bucket)", "objects": "\(tally.objects)", "bytes": "\(tally.bytes)",
                "versions": "\(tally.versions)", "uploads": "\(tally.uploads)",
            ]
        )
    }

    /// One bucket, as it was when the round came to it.
    private struct Walk {
        let bucket: BucketName
        let document: String
        let lifecycle: LifecycleConfiguration
    }

    private func expireObjects(_ walk: Walk, _ tally: inout Tally) async throws {
        guard let prefix = walk.lifecycle.prefix(of: { $0.expiration != nil }) else { return }
        var after: String?
        repeat {
            let page = try await store.list(
                bucket: walk.bucket, prefix: prefix, after: after, limit: settings.step)
            let now = now()
            let expired = page.objects.filter { record in
                walk.lifecycle.expiry(of: record.lifecycleSubject, written: record.lastModified)
                    .map { $0.time <= now } ?? false
            }
            guard try await isInForce(walk) else { return }
            let sizes = try await delete(expired.map { ($0.deletion, $0.size.bytes) }, walk)
            objects.increment(by: sizes.count)
            tally.objects += sizes.count
            tally.bytes += sizes.reduce(0, +)
            after = page.next
            if after != nil { try await Task.sleep(for: settings.pause) }
        } while after != nil
    }

    private func expireVersions(_ walk: Walk, _ tally: inout Tally) async throws {
        guard let prefix = walk.lifecycle.prefix(of: { $0.noncurrent != nil }) else { return }
        var after: NoncurrentPlace?
        repeat {
            let now = now()
            let page = try await store.noncurrentVersions(
                in: walk.bucket, prefix: prefix, replacedBefore: now, after: after, limit: settings.step)
            let expired = page.items.filter { item in
                walk.lifecycle.expires(
                    noncurrent: item.version.lifecycleSubject, since: item.since,
                    newerNoncurrent: item.newerNoncurrent, now: now)
            }
            guard try await isInForce(walk) else { return }
            let sizes = try await delete(expired.map { ($0.deletion, $0.version.lifecycleSubject.size) }, walk)
            versions.increment(by: sizes.count)
            tally.versions += sizes.count
            tally.bytes += sizes.reduce(0, +)
            after = page.next
            if after != nil { try await Task.sleep(for: settings.pause) }
        } while after != nil
    }

    private func expireMarkers(_ walk: Walk, _ tally: inout Tally) async throws {
        guard let prefix = walk.lifecycle.prefix(of: { $0.expiration != nil }) else { return }
        var after: String?
        repeat {
            let page = try await store.lonelyMarkers(
                in: walk.bucket, prefix: prefix, after: after, limit: settings.step)
            let now = now()
            let expired = page.items.filter { marker in
                walk.lifecycle.expires(loneMarkerOf: marker.key.text, written: marker.lastModified, now: now)
            }
            guard try await isInForce(walk) else { return }
            let count = try await delete(expired.map { ($0.deletion, 0) }, walk).count
            versions.increment(by: count)
            tally.versions += count
            after = page.next
            if after != nil { try await Task.sleep(for: settings.pause) }
        } while after != nil
    }

    /// Deletes what has expired, unless it has changed since it was found.
    ///
    /// - Returns: the sizes of what was deleted, in bytes.
    private func delete(_ expired: [(deletion: Deletion, size: Int64)], _ walk: Walk) async throws -> [Int64] {
        guard !expired.isEmpty else { return [] }
        let outcomes = try await store.delete(expired.map(\.deletion), in: walk.bucket, byLifecycle: true)
        return zip(expired, outcomes).compactMap { expired, outcome in
            ((try? outcome.get())?.wasThere ?? false) ? expired.size : nil
        }
    }

    private func abortUploads(_ walk: Walk, _ tally: inout Tally) async throws {
        guard let prefix = walk.lifecycle.prefix(of: { $0.abortsUploadsAfter != nil }) else { return }
        var after: (key: String, id: String?)?
        repeat {
            let page = try await store.uploads(
                in: walk.bucket, prefix: prefix, afterKey: after?.key, afterID: after?.id, limit: settings.step)
            guard try await isInForce(walk) else { return }
            for upload in page.uploads
            where walk.lifecycle.aborts(uploadOf: upload.key.text, initiated: upload.initiated, now: now()) {
                guard try await abort(upload) else { continue }
                uploads.increment()
                tally.uploads += 1
            }
            after = page.nextKey.map { ($0, page.nextID) }
            if after != nil { try await Task.sleep(for: settings.pause) }
        } while after != nil
    }

    /// - Returns: `false` where it was finished meanwhile.
    private func abort(_ upload: MultipartUpload) async throws -> Bool {
        do {
            try await store.abortUpload(upload.id, of: upload.key, in: upload.bucket)
            return true
        } catch {
            if error.code == .noSuchUpload { return false }
            throw error
        }
    }

    /// Whether the bucket still has the lifecycle that the walk goes by; who takes it back wants the deleting to stop.
    private func isInForce(_ walk: Walk) async throws -> Bool {
        try await store.facts(of: walk.bucket)?.settings[.lifecycle] == walk.document
    }
}

extension ObjectVersion {
    /// A delete marker has no size and no tags.
    fileprivate var lifecycleSubject: LifecycleConfiguration.Subject {
        switch content {
        case .object(let record): record.lifecycleSubject
        case .marker(let marker): LifecycleConfiguration.Subject(key: marker.key.text, size: 0)
        }
    }
}
