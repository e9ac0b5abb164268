package import Model
import NIOPosix
import ServiceLifecycle
import Synchronization
package import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The logs of jobs: one file an attempt, written as output comes, read and followed while it grows.
package final class JobLogs: Sendable {
    /// A log that is being written, and those who follow it.
    private struct Live {
        var followers: [UInt64: AsyncStream<Void>.Continuation] = [:]
    }

    private struct State {
        var live: [FilePath: Live] = [:]
        var nextFollower: UInt64 = 0
    }

    let folder: FilePath
    /// What a job writes beyond this is not kept.
    let limit: ByteCount
    private let state = Mutex(State())

    package init(folder: FilePath, limit: ByteCount) {
        self.folder = folder
        self.limit = limit
    }

    /// The first attempt's log is `JOB.log`, that of a later one `JOB@/N.log`: no job's name has an `@`.
    func path(_ service: ServiceName, _ job: JobName, attempt: Int) -> FilePath {
        let folder = folder.appending(service.text)
        guard attempt > 1 else { return folder.appending("\(job.text).log") }
        return later(folder, job).appending("\(attempt).log")
    }

    private func later(_ folder: FilePath, _ job: JobName) -> FilePath { folder.appending("\(job.text)@") }

    // MARK: Writing

    /// Begins to write an attempt's log, after what it left there before a crash.
    func writer(_ service: ServiceName, _ job: JobName, attempt: Int) -> JobLogWriter {
        let path = path(service, job, attempt: attempt)
        open(path)
        return JobLogWriter(logs: self, path: path, limit: limit)
    }

    func grew(_ path: FilePath) {
        let followers = state.withLock { $0.live[path]?.followers.values.map { $0 } ?? [] }
        for follower in followers { follower.yield() }
    }

    func ended(_ path: FilePath) {
        let followers = state.withLock { state -> [AsyncStream<Void>.Continuation] in
            guard let live = state.live[path] else { return [] }
            state.live[path] = nil
            return Array(live.followers.values)
        }
        for follower in followers { follower.finish() }
    }

    // MARK: Reading

    /// The records of an attempt's log, in order; with `follow`, also those to come until the attempt has ended.
    ///
    /// - Throws: while iterating, `ClusterError` with `failed` where the file cannot be read.
    package func records(_ service: ServiceName, _ job: JobName, attempt: Int = 1, follow: Bool) -> LogRecords {
        let path = path(service, job, attempt: attempt)
        guard follow else { return LogRecords(path: path, growth: nil) }
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let isLive = state.withLock { state -> Bool in
            guard state.live[path] != nil else { return false }
            let id = state.nextFollower
            state.nextFollower += 1
            state.live[path]?.followers[id] = continuation
            continuation.onTermination = { [self] _ in
                self.state.withLock { $0.live[path]?.followers[id] = nil }
            }
            return true
        }
        if !isLive { continuation.finish() }
        return LogRecords(path: path, growth: (stream, continuation))
    }

    /// Opens a place where a follower can wait before the job has started.
    func announce(_ service: ServiceName, _ job: JobName, attempt: Int) {
        open(path(service, job, attempt: attempt))
    }

    /// From now on followers of that log wait for more, until it has ended.
    private func open(_ path: FilePath) {
        state.withLock { if $0.live[path] == nil { $0.live[path] = Live() } }
    }

    /// Removes the logs of all attempts of a job; who follows one gets its end.
    func remove(_ service: ServiceName, _ job: JobName) async throws {
        let first = path(service, job, attempt: 1)
        let later = later(folder.appending(service.text), job)
        try await Folder.offload {
            try Folder.removeFile(first)
            try Folder.remove(later)
        }
        let followed = state.withLock { $0.live.keys.filter { $0 == first || $0.starts(with: later) } }
        for path in followed { ended(path) }
    }

    /// Removes the logs of a service; who follows one gets its end.
    func removeAll(of service: ServiceName) async throws {
        let folder = folder.appending(service.text)
        try await Folder.offload { try Folder.remove(folder) }
        let followed = state.withLock { $0.live.keys.filter { $0.starts(with: folder) } }
        for path in followed { ended(path) }
    }
}

/// Appends records to one job's log.
///
/// One task at a time writes.
final class JobLogWriter: Sendable {
    private struct State {
        var file: FileDescriptor?
        var written: Int64 = 0
        var isFull = false
        /// The last bytes that came.
        var tail: [UInt8] = []

        mutating func keep(_ bytes: [UInt8], atMost limit: Int) {
            tail.append(contentsOf: bytes.suffix(limit))
            if tail.count > limit { tail.removeFirst(tail.count - limit) }
        }
    }

    /// How many bytes of the log's end are at hand.
    private static let tailLength = 8 << 10

    private let logs: JobLogs
    private let path: FilePath
    private let limit: ByteCount
    private let state = Mutex(State())

    init(logs: JobLogs, path: FilePath, limit: ByteCount) {
        self.logs = logs
        self.path = path
        self.limit = limit
    }

    /// Keeps a piece of output.
    ///
    /// A disk that is full loses log, not the job: the failure is not passed on.
    func append(_ record: LogRecord) async {
        guard !record.bytes.isEmpty else { return }
        state.withLock { $0.keep(record.bytes, atMost: Self.tailLength) }
        _ = try? await Folder.offload { [self] in try write(record) }
        logs.grew(path)
    }

    /// The end of what this writer has got, without times.
    var tail: [UInt8] { state.withLock { $0.tail } }

    /// Keeps a sentence of our own.
    func note(_ text: String, at time: Instant) async {
        await append(LogRecord(time: time, stream: .system, bytes: Array("\(text)\n".utf8)))
    }

    /// Ends the log of this attempt; followers get the rest and then the end.
    func close() {
        state.withLock { state in
            try? state.file?.close()  // Nothing is lost by a failed close: the data is in the page cache already.
            state.file = nil
        }
        logs.ended(path)
    }

    private func write(_ record: LogRecord) throws {
        try state.withLock { state in
            guard !state.isFull else { return }
            if state.file == nil { try open(&state) }
            guard let file = state.file else { return }
            var bytes = record.encoded
            if state.written + Int64(bytes.count) > limit.bytes {
                state.isFull = true
                let text = "the log has reached its limit of \(limit); what follows is not kept\n"
                bytes = LogRecord(time: record.time, stream: .system, bytes: Array(text.utf8)).encoded
            }
            do { try file.writeAll(bytes) } catch {
                // Half a record would hide what follows it; where it stays, the next attempt removes it.
                try? file.resize(to: state.written)
                throw error
            }
            state.written += Int64(bytes.count)
        }
    }

    private func open(_ state: inout State) throws {
        let options: FileDescriptor.OpenOptions = [.create, .append, .closeOnExec]
        let permissions = FilePermissions(rawValue: 0o600)
        let file: FileDescriptor
        do {
            file = try FileDescriptor.open(path, .writeOnly, options: options, permissions: permissions)
        } catch Errno.noSuchFileOrDirectory {
            try Folder.make(path.removingLastComponent())
            file = try FileDescriptor.open(path, .writeOnly, options: options, permissions: permissions)
        }
        state.file = file
        state.written = try file.seek(offset: 0, from: .end)
        if state.written > 0 {
            // An earlier attempt may have been killed within a record, which would hide what follows.
            let whole = try Self.wholeRecords(path)
            if whole < state.written { try file.resize(to: whole) }
            state.written = whole
        }
    }

    /// How many bytes at the file's beginning are whole records.
    private static func wholeRecords(_ path: FilePath) throws -> Int64 {
        var parser = LogParser()
        var offset: Int64 = 0
        while !parser.isDamaged {
            let bytes = try Folder.read(path, from: offset, atMost: 128 << 10)
            if bytes.isEmpty { break }
            offset += Int64(bytes.count)
            parser.append(bytes)
            while parser.next() != nil {}
        }
        return parser.consumed
    }
}

/// The records of one log file as an asynchronous sequence.
package struct LogRecords: AsyncSequence, Sendable {
    package typealias Element = LogRecord

    let path: FilePath
    /// Says that the file has grown; ends with the attempt.
    ///
    /// `nil` where nobody follows.
    let growth: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)?

    /// Following ends with the attempt, or when the cluster stops.
    package func makeAsyncIterator() -> Iterator {
        Iterator(path: path, growth: growth?.stream.makeAsyncIterator(), stop: growth?.continuation)
    }

    package struct Iterator: AsyncIteratorProtocol {
        private static let chunk = 128 << 10

        let path: FilePath
        var growth: AsyncStream<Void>.Iterator?
        let stop: AsyncStream<Void>.Continuation?
        private var offset: Int64 = 0
        private var parser = LogParser()

        init(path: FilePath, growth: AsyncStream<Void>.Iterator?, stop: AsyncStream<Void>.Continuation?) {
            self.path = path
            self.growth = growth
            self.stop = stop
        }

        package mutating func next() async throws -> LogRecord? {
            while true {
                if let record = parser.next() { return record }
                if parser.isDamaged { return nil }
                if try await readMore() { continue }
                guard growth != nil else { return nil }
                let grew: Void? = await withGracefulShutdownHandler {
                    await growth?.next(isolation: #isolation)
                } onGracefulShutdown: { [stop] in
                    stop?.finish()
                }
                if grew == nil {
                    // The attempt has ended; what it wrote last may still be unread.
                    growth = nil
                }
            }
        }

        private mutating func readMore() async throws -> Bool {
            let (path, offset) = (path, offset)
            let bytes: [UInt8] = try await Folder.offload {
                do { return try Folder.read(path, from: offset, atMost: Self.chunk) } catch Errno.noSuchFileOrDirectory
                {
                    return []
                }
            }
            self.offset += Int64(bytes.count)
            parser.append(bytes)
            return !bytes.isEmpty
        }
    }
}
