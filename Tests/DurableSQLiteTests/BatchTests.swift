import GRDB
import Synchronization
import TestKit
import Testing

@testable import DurableSQLite

/// Writes that do not wait for the disk, and copies for others to read.
@Suite struct BatchTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func open(interval: Duration) async throws -> DurableDatabase {
        try await DurableDatabase.open(
            at: directory.path + "/batch.sqlite",
            steps: [numbers],
            durability: .batch,
            syncInterval: interval
        )
    }

    @Test func syncsInTheBackground() async throws {
        let database = try await open(interval: .milliseconds(1))
        for number in 0..<20 { try await database.insert(number) }
        #expect(try await database.values().count == 20)
        try database.synchronizeLog()
        await database.close()
        let again = try await open(interval: .seconds(1))
        #expect(try await again.values().count == 20)
        await again.close()
    }

    @Test func asksTheDiskForWholeCheckpointsOnly() async throws {
        let database = try await open(interval: .seconds(60))
        let mode = try await database.write { try Int.fetchOne($0, sql: "PRAGMA synchronous") }
        #expect(mode == 1)
        await database.close()
    }

    @Test func aReaderOfAnotherProcessSeesWhatIsThere() async throws {
        let database = try await open(interval: .seconds(60))
        try await database.insert(1)
        let path = directory.path + "/batch.sqlite"
        let reader = try await DurableDatabase.openReadOnly(at: path, steps: [numbers])
        #expect(try await reader.values() == [1])
        try await database.insert(2)
        #expect(try await reader.values() == [1, 2])
        let error = await #expect(throws: DurableSQLiteError.self) { try await reader.insert(3) }
        #expect(error != nil)
        await reader.close()
        let older = await #expect(throws: DurableSQLiteError.self) {
            try await DurableDatabase.openReadOnly(at: path, steps: [numbers, children])
        }
        #expect(older?.code == .olderVersion)
        let newer = await #expect(throws: DurableSQLiteError.self) {
            try await DurableDatabase.openReadOnly(at: path, steps: [])
        }
        #expect(newer?.code == .newerVersion)
        await database.close()
    }

    @Test func aCopyIsOfOneMoment() async throws {
        let database = try await open(interval: .seconds(60))
        for number in 0..<100 { try await database.insert(number) }
        let path = directory.path + "/copy.sqlite"
        try await database.copy(to: path)
        try await database.insert(100)
        let copy = try await DurableDatabase.openReadOnly(at: path, steps: [numbers])
        #expect(try await copy.values().count == 100)
        await copy.close()
        await database.close()
    }
}
