import Logging
import LoopbackServer
import Model
import Synchronization
import SystemPackage
import Testing

@testable import Identity

@Suite(.timeLimit(.minutes(1))) struct AuditLogTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func entry(_ number: Int, status: Int = 200, by principal: Principal = .administrator(name: "oscar"))
        -> AuditEntry
    {
        AuditEntry(
            time: Instant(seconds: Int64(number)), face: .api, principal: principal, action: "PUT /x/{y}",
            resource: "/x/\(number)?token=secret", address: "192.0.2.1", status: status)
    }

    /// Writes entries and ends.
    private func write(_ entries: [AuditEntry], to folder: FilePath, now: Int64 = 0, kept: Duration = .seconds(100))
        async
    {
        let log = AuditLog(folder: folder, kept: kept, now: { Instant(seconds: now) }, logger: logger)
        for entry in entries { log.record(entry) }
        log.finish()
        await log.run()
    }

    private func reader(_ folder: FilePath) -> AuditLog {
        AuditLog(folder: folder, kept: .seconds(1), now: { Instant(seconds: 0) }, logger: logger)
    }

    @Test func tellsTheNewestFirstAndPageByPage() async throws {
        try await TemporaryFolder.with { root in
            let folder = root.appending("audit")
            await write((0..<7).map { entry($0) }, to: folder)
            await write((7..<10).map { entry($0) }, to: folder)
            var seen: [String] = []
            var filter = AuditFilter(limit: 3)
            repeat {
                let page = try reader(folder).lines(filter)
                #expect(page.lines.count <= 3)
                seen += page.lines.compactMap { $0["resource"]?.stringValue }
                filter.before = page.next.flatMap { AuditPlace($0.description) }
            } while filter.before != nil
            #expect(seen == (0..<10).reversed().map { "/x/\($0)" })
        }
    }

    @Test func filters() async throws {
        try await TemporaryFolder.with { root in
            let folder = root.appending("audit")
            let ada = Principal.user(User(id: try UserID("ada")))
            await write(
                [entry(1), entry(2, status: 403, by: ada), entry(3, by: ada), entry(4, status: 500)], to: folder)
            func times(_ change: (inout AuditFilter) -> Void) throws -> [String] {
                var filter = AuditFilter(limit: 10)
                change(&filter)
                return try reader(folder).lines(filter).lines.compactMap { $0["resource"]?.stringValue }
            }
            #expect(try times { $0.principal = "ada" } == ["/x/3", "/x/2"])
            #expect(try times { $0.onlyRefused = true } == ["/x/4", "/x/2"])
            #expect(try times { $0.resource = "/x/1" } == ["/x/1"])
            #expect(try times { $0.action = "put" }.count == 4)
            #expect(try times { $0.action = "delete" }.isEmpty)
            #expect(try times { $0.since = Instant(seconds: 3) } == ["/x/4", "/x/3"])
        }
    }

    @Test func oldFilesGo() async throws {
        try await TemporaryFolder.with { root in
            let folder = root.appending("audit")
            await write([entry(1)], to: folder)
            // The file is of today; whoever looks much later finds it too old.
            await write([entry(2)], to: folder, now: 9_000_000_000)
            let lines = try reader(folder).lines(AuditFilter(limit: 10)).lines
            #expect(lines.count == 1)
        }
    }

    @Test func aFloodHoldsNobodyUpAndIsToldOf() async throws {
        try await TemporaryFolder.with { root in
            let folder = root.appending("audit")
            await write((0..<10_050).map { entry($0) }, to: folder)
            let lines = try reader(folder).lines(AuditFilter(limit: 20_000)).lines
            #expect(lines.count == 10_001)
            #expect(lines.contains { $0["lost"]?.integerValue == 50 })
        }
    }

    @Test(arguments: ["", "1", "a-b", "1-", "-1", "1--2", "1-2-3"]) func placesThatAreNone(text: String) {
        #expect(AuditPlace(text) == nil)
    }

    @Test func aFolderThatCannotBeMadeStopsNothing() async throws {
        await write([entry(1)], to: "/proc/none/audit")
        #expect(try reader("/proc/none/audit").lines(AuditFilter(limit: 1)).lines.isEmpty)
    }
}
