import DurableSQLite
import GRDB
import Synchronization
import Testing

private struct Refusal: Error, Equatable { let number: Int }

@Suite(.timeLimit(.minutes(1))) struct GroupCommitTests {
    let directory: TemporaryDirectory
    var path: String { directory.path + "/data.sqlite" }

    init() throws { directory = try TemporaryDirectory() }

    func open(_ steps: [SchemaStep] = [numbers]) async throws -> DurableDatabase {
        try await DurableDatabase.open(at: path, steps: steps, durability: .never)
    }

    @Test func givesTheValueBack() async throws {
        let database = try await open()
        let rowID = try await database.write { database in
            try database.execute(sql: "INSERT INTO numbers VALUES (42, 'x')")
            return database.lastInsertedRowID
        }
        #expect(rowID == 42)
        await database.close()
    }

    @Test func manyWritesAllCount() async throws {
        let database = try await open()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for value in 0..<1000 { group.addTask { try await database.insert(value) } }
            try await group.waitForAll()
        }
        #expect(try await database.values() == Array(0..<1000))
        await database.close()
    }

    /// Holds the writer until all have queued, so that they do share one transaction.
    @Test func aFailingWriteHarmsNoOtherOfItsBatch() async throws {
        let database = try await open()
        let queued = Counter()
        let outcomes = await withTaskGroup(of: (Int, Result<Void, any Error>).self) { group in
            group.addTask {
                let held = await Result { try await database.write { _ in while queued.value < 50 {} } }
                return (-1, held)
            }
            for value in 0..<50 {
                group.addTask {
                    queued.increase()
                    let outcome = await Result {
                        try await database.write { database in
                            try database.execute(
                                sql: "INSERT INTO numbers VALUES (?, 'w')",
                                arguments: [value]
                            )
                            if value % 3 == 0 { throw Refusal(number: value) }
                        }
                    }
                    return (value, outcome)
                }
            }
            return await group.reduce(into: [Int: Result<Void, any Error>]()) { $0[$1.0] = $1.1 }
        }
        for (value, outcome) in outcomes where value >= 0 {
            if value % 3 == 0 {
                #expect(throws: Refusal(number: value)) { try outcome.get() }
            } else {
                #expect(throws: Never.self) { try outcome.get() }
            }
        }
        #expect(try await database.values() == (0..<50).filter { $0 % 3 != 0 })
        await database.close()
    }

    @Test func writersOfOneBatchShareOneTransaction() async throws {
        let database = try await open()
        let commits = Counter()
        let observer = CommitCounter { commits.increase() }
        try await database.write { $0.add(transactionObserver: observer, extent: .databaseLifetime) }
        let before = commits.value
        let started = AsyncStream<Void>.makeStream()
        let release = Counter()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                try await database.write { database in
                    started.continuation.finish()
                    while release.value == 0 {}
                    try database.execute(sql: "INSERT INTO numbers VALUES (1000, 'first')")
                }
            }
            for await _ in started.stream {}
            var queued: [Task<Void, any Error>] = []
            for value in 0..<20 { queued.append(Task { try await database.insert(value) }) }
            for _ in 0..<1000 { await Task.yield() }
            release.increase()
            for task in queued { try await task.value }
            try await group.waitForAll()
        }
        #expect(commits.value - before < 21)
        #expect(try await database.values().count == 21)
        await database.close()
    }

    @Test func anErrorOfTheSchemaIsTyped() async throws {
        let database = try await open([numbers, children])
        try await database.insert(1)
        let twice = await #expect(throws: DurableSQLiteError.self) { try await database.insert(1) }
        #expect(twice?.code == .constraint)
        let orphan = await #expect(throws: DurableSQLiteError.self) {
            try await database.write { try $0.execute(sql: "INSERT INTO children VALUES (1, 99)") }
        }
        #expect(orphan?.code == .constraint)
        let nonsense = await #expect(throws: DurableSQLiteError.self) {
            try await database.read { try $0.execute(sql: "SELEKT") }
        }
        #expect(nonsense?.code == .misuse)
        await database.close()
    }

    @Test func aFullDatabaseSaysSoAndRecovers() async throws {
        let database = try await open()
        try await database.write { try $0.execute(sql: "PRAGMA max_page_count = 20") }
        let big = String(repeating: "x", count: 100_000)
        let error = await #expect(throws: DurableSQLiteError.self) { try await database.insert(1, big) }
        #expect(error?.code == .full)
        try await database.insert(2)
        #expect(try await database.values() == [2])
        await database.close()
    }

    @Test func readsSeeOneMoment() async throws {
        let database = try await open()
        try await database.insert(1)
        let seen = try await database.read { reader in
            let before = try Int.fetchOne(reader, sql: "SELECT count(*) FROM numbers")
            return before
        }
        try await database.insert(2)
        #expect(seen == 1)
        #expect(try await database.values() == [1, 2])
        let written = await #expect(throws: DurableSQLiteError.self) {
            try await database.read { try $0.execute(sql: "INSERT INTO numbers VALUES (9, 'no')") }
        }
        #expect(written != nil)
        await database.close()
    }

    @Test func aCancelledCallerStillWrites() async throws {
        let database = try await open()
        let task = Task { try await database.insert(5) }
        task.cancel()
        try await task.value
        #expect(try await database.values() == [5])
        await database.close()
    }

    @Test func closingRefusesWhatComesLater() async throws {
        let database = try await open()
        try await database.insert(1)
        await database.close()
        await database.close()
        let write = await #expect(throws: DurableSQLiteError.self) { try await database.insert(2) }
        #expect(write?.code == .closed)
        let read = await #expect(throws: DurableSQLiteError.self) { try await database.values() }
        #expect(read?.code == .closed)
        let again = try await open()
        #expect(try await again.values() == [1])
        await again.close()
    }
}

extension Result where Failure == any Error, Success: Sendable {
    fileprivate init(_ body: () async throws -> Success) async {
        do { self = .success(try await body()) } catch { self = .failure(error) }
    }
}

private final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .acquiring) }
    func increase() { count.add(1, ordering: .acquiringAndReleasing) }
}

private final class CommitCounter: TransactionObserver, Sendable {
    private let didCommit: @Sendable () -> Void

    init(_ didCommit: @escaping @Sendable () -> Void) { self.didCommit = didCommit }

    func observes(eventsOfKind eventKind: DatabaseEventKind) -> Bool { true }
    func databaseDidChange(with event: DatabaseEvent) {}
    func databaseDidCommit(_ db: Database) { didCommit() }
    func databaseDidRollback(_ db: Database) {}
}
