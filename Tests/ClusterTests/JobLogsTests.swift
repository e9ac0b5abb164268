import LoopbackServer
import Model
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("Logs of jobs")
struct JobLogsTests {
    private static let time = Instant(seconds: 1_700_000_000)
    private let service: ServiceName
    private let job: JobName

    init() throws {
        service = try ServiceName("service")
        job = try JobName("service-1")
    }

    private func withLogs(limit: Int64 = 1 << 20, _ body: (JobLogs) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            try await body(JobLogs(folder: folder.appending("logs"), limit: ByteCount(limit)))
        }
    }

    private func text(_ logs: JobLogs, follow: Bool = false) async throws -> String {
        var bytes: [UInt8] = []
        for try await record in logs.records(service, job, follow: follow) { bytes += record.bytes }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func record(_ text: String) -> LogRecord {
        LogRecord(time: Self.time, stream: .output, bytes: Array(text.utf8))
    }

    @Test("each attempt has a log of its own; all go with the job, and the end of a log is at hand")
    func attempts() async throws {
        try await withLogs { logs async throws in
            for attempt in 1...3 {
                let writer = logs.writer(service, job, attempt: attempt)
                await writer.append(record("attempt \(attempt)\n"))
                await writer.append(record(String(repeating: "x", count: 20_000) + "end \(attempt)"))
                #expect(String(decoding: writer.tail, as: UTF8.self).hasSuffix("xxend \(attempt)"))
                #expect(writer.tail.count == 8 << 10)
                writer.close()
            }
            for attempt in 1...3 {
                var bytes: [UInt8] = []
                for try await record in logs.records(service, job, attempt: attempt, follow: false) {
                    bytes += record.bytes
                }
                #expect(String(decoding: bytes, as: UTF8.self).hasPrefix("attempt \(attempt)\nx"))
            }
            // A job of a name that looks like an attempt of another one is another one.
            let other = logs.path(service, try JobName("job.2"), attempt: 1)
            #expect(logs.path(service, try JobName("job"), attempt: 2) != other)
            try await logs.remove(service, job)
            #expect(try Folder.entries(logs.folder.appending(service.text)).isEmpty)
        }
    }

    @Test("what is written is read, also what an attempt wrote before a crash")
    func writeAndRead() async throws {
        try await withLogs { logs async throws in
            #expect(try await text(logs) == "")
            for attempt in 1...2 {
                let writer = logs.writer(service, job, attempt: 1)
                await writer.append(record("attempt \(attempt)\n"))
                await writer.append(record(""))
                await writer.note("said", at: Self.time)
                writer.close()
            }
            #expect(try await text(logs) == "attempt 1\nsaid\nattempt 2\nsaid\n")
            try await logs.remove(service, job)
            try await logs.remove(service, job)
            #expect(try await text(logs) == "")
        }
    }

    @Test("a log is for its owner alone")
    func mode() async throws {
        try await withLogs { logs async throws in
            let writer = logs.writer(service, job, attempt: 1)
            await writer.append(record("x"))
            writer.close()
            #expect(try logs.path(service, job, attempt: 1).mode() == 0o600)
        }
    }

    @Test("who follows gets what comes, and the end with the attempt")
    func follow() async throws {
        try await withLogs { logs async throws in
            let writer = logs.writer(service, job, attempt: 1)
            await writer.append(record("before\n"))
            var records = logs.records(service, job, follow: true).makeAsyncIterator()
            #expect(try await records.next() == record("before\n"))
            for index in 0..<50 {
                await writer.append(record("line \(index)\n"))
                #expect(try await records.next() == record("line \(index)\n"))
            }
            let rest = Task { [records] in
                var records = records
                var texts: [String] = []
                while let record = try await records.next() {
                    texts.append(String(decoding: record.bytes, as: UTF8.self))
                }
                return texts
            }
            await writer.append(record("last\n"))
            writer.close()
            #expect(try await rest.value == ["last\n"])
        }
    }

    @Test("following what does not run any more ends at once")
    func followEnded() async throws {
        try await withLogs { logs async throws in
            let writer = logs.writer(service, job, attempt: 1)
            await writer.append(record("all\n"))
            writer.close()
            #expect(try await text(logs, follow: true) == "all\n")
        }
    }

    @Test("many followers, one that goes away: all others get everything")
    func followers() async throws {
        try await withLogs { logs async throws in
            let writer = logs.writer(service, job, attempt: 1)
            // Registered before anything is written.
            let streams = (0..<10).map { _ in logs.records(service, job, follow: true) }
            let leaver = Task { for try await _ in logs.records(service, job, follow: true) {} }
            leaver.cancel()
            let texts = try await withThrowingTaskGroup(of: Int.self) { group in
                for stream in streams {
                    group.addTask { try await stream.reduce(0) { $0 + $1.bytes.count } }
                }
                for _ in 0..<200 { await writer.append(record("0123456789")) }
                writer.close()
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(texts == Array(repeating: 2000, count: 10))
            _ = await leaver.result
        }
    }

    @Test("one may follow a job that has not started, until its log is removed")
    func announced() async throws {
        try await withLogs { logs async throws in
            logs.announce(service, job, attempt: 1)
            let follower = logs.records(service, job, follow: true)
            let other = logs.records(service, try JobName("service-2"), follow: true)
            let text = Task { try await follower.reduce("") { $0 + String(decoding: $1.bytes, as: UTF8.self) } }
            let writer = logs.writer(service, job, attempt: 1)
            await writer.append(record("started\n"))
            writer.close()
            #expect(try await text.value == "started\n")
            for try await _ in other { Issue.record("nobody wrote that") }
            logs.announce(service, job, attempt: 1)
            let waiting = logs.records(service, job, follow: true)
            try await logs.removeAll(of: service)
            for try await _ in waiting { Issue.record("the log is gone") }
        }
    }

    @Test("beyond the limit a note says so, once an attempt")
    func limit() async throws {
        try await withLogs(limit: 300) { logs async throws in
            let writer = logs.writer(service, job, attempt: 1)
            for _ in 0..<100 { await writer.append(record(String(repeating: "x", count: 60))) }
            writer.close()
            let kept = try await text(logs)
            #expect(kept.hasSuffix("the log has reached its limit of 300 B; what follows is not kept\n"))
            #expect(kept.count { $0 == "\n" } == 1 && kept.hasPrefix("xxx"))
            #expect(Folder.size(of: logs.path(service, job, attempt: 1)) < 500)
        }
    }

    @Test("half a record, left by a kill, does not hide the next attempt")
    func torn() async throws {
        try await withLogs { logs async throws in
            let path = logs.path(service, job, attempt: 1)
            _ = try path.write(record("first\n").encoded + record("second").encoded.dropLast(3))
            #expect(try await text(logs) == "first\n")
            let writer = logs.writer(service, job, attempt: 1)
            await writer.append(record("third\n"))
            writer.close()
            #expect(try await text(logs) == "first\nthird\n")
        }
    }

    @Test("a log that cannot be written does not disturb its writer")
    func unwritable() async throws {
        try await TemporaryFolder.with { folder in
            _ = try folder.appending("logs").write("a file where a folder should be".utf8)
            let logs = JobLogs(folder: folder.appending("logs"), limit: ByteCount(1000))
            let writer = logs.writer(service, job, attempt: 1)
            await writer.append(record("x"))
            writer.close()
        }
    }
}
