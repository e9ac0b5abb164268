package import Model
import S3Wire
import StateStore
import Synchronization
import SystemPackage

/// What became of an event that was posted.
package struct PostedJob: Sendable, Hashable {
    package var name: JobName
    /// The same was posted before, and this is the job that it made then.
    package var isKnown: Bool
}

extension JobBoard {
    /// Events up to this size are kept in the database, larger ones in a file.
    private static let inlineEvent = 64 << 10

    /// Queues a job with that event; durable when this returns.
    ///
    /// The same event of a storage makes one job, however often it is posted.
    ///
    /// - Parameters:
    ///   - name: what another cluster calls the job; a new name where `nil`.
    ///   - key: what the client calls the request.
    /// - Throws: `ClusterError` with `notFound`, `alreadyExists`, `mismatch`, `busy` where too many wait, `unavailable`
    ///   where the disk has no room, `failed`.
    package func post(
        _ event: [UInt8],
        to service: ServiceName,
        name: JobName?,
        key: IdempotencyKey?,
        principal: String
    ) async throws -> PostedJob {
        guard catalog[service] != nil else { throw Self.noService(service) }
        let key = Self.key(key, of: event, isNamed: name != nil)
        do {
            if let key, let known = try await state.outcome(of: key, for: service) { return try Self.known(known, key) }
            try scheduler.checkStorage()
            guard let name else {
                let name = JobName(service: service, unique: UniqueID.uuid())
                return try await post(event, to: service, as: name, key, principal)
            }
            // Before the event's file is written: it must not replace that of another job.
            guard names.withLock({ $0.insert(name).inserted }) else { throw Self.nameIsTaken(name) }
            defer { _ = names.withLock { $0.remove(name) } }
            guard try await state.job(named: name) == nil else { throw Self.nameIsTaken(name) }
            return try await post(event, to: service, as: name, key, principal)
        } catch { throw Self.translate(error, retryAfter: scheduler.expectedPause(of: service)) }
    }

    /// As above, for posts that nobody repeats.
    package func post(
        _ event: [UInt8],
        to service: ServiceName,
        name: JobName?,
        principal: String
    ) async throws -> JobName {
        try await post(event, to: service, name: name, key: nil, principal: principal).name
    }

    /// What the client says, or else what the event says.
    private static func key(_ key: IdempotencyKey?, of event: [UInt8], isNamed: Bool) -> PostKey? {
        if let key { return PostKey(text: "key:\(key)", digest: digest(of: event)) }
        guard !isNamed, let identity = InvocationEvent.classify(event).identity else { return nil }
        return PostKey(text: "event:\(identity)")
    }

    static func digest(of bytes: [UInt8]) -> [UInt8] {
        var checksum = Checksum(.sha256)
        checksum.update(bytes)
        return checksum.value
    }

    private static func known(_ outcome: PostOutcome, _ key: PostKey) throws(ClusterError) -> PostedJob {
        guard case .known(let name) = outcome else {
            throw ClusterError(
                code: .mismatch,
                message: "this Idempotency-Key was used for another body; use a new key for a new request")
        }
        return PostedJob(name: name, isKnown: true)
    }

    private func post(
        _ event: [UInt8],
        to service: ServiceName,
        as name: JobName,
        _ key: PostKey?,
        _ principal: String
    ) async throws -> PostedJob {
        let isInline = event.count <= Self.inlineEvent
        let path = data.events.appending(name.text)
        if !isInline { try await Folder.offload { try Folder.writeDurably(path, event, mode: 0o600) } }
        let job = NewJob(
            name: name, service: service, eventSequence: nil, input: nil, principal: principal,
            event: isInline ? event : nil, created: now()
        )
        do {
            let limits = QueueLimits(service: catalog[service]?.definition.queue.limit, cluster: queueLimit)
            let outcome = try await state.enqueue(job, key: key, limits: limits)
            if outcome == .queued {
                scheduler.jobsAdded(to: service)
                return PostedJob(name: name, isKnown: false)
            }
            await removeEvent(path, unless: isInline)
            guard let key else { return PostedJob(name: name, isKnown: true) }
            return try Self.known(outcome, key)
        } catch {
            await removeEvent(path, unless: isInline)
            throw error
        }
    }

    private func removeEvent(_ path: FilePath, unless isInline: Bool) async {
        guard !isInline else { return }
        // What stays is removed at the next start.
        try? await Folder.offload { try Folder.removeFile(path) }
    }
}
