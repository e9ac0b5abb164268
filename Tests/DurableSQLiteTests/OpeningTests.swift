import DurableSQLite
import GRDB
import Testing

@Suite struct OpeningTests {
    let directory: TemporaryDirectory
    var path: String { directory.path + "/data.sqlite" }

    init() throws { directory = try TemporaryDirectory() }

    @Test(arguments: [(Durability.always, 2), (.never, 0)])
    func setsTheJournalAndTheSync(durability: Durability, synchronous: Int) async throws {
        let database = try await DurableDatabase.open(at: path, steps: [numbers], durability: durability)
        let pragmas = try await database.write { database in
            try ["journal_mode", "synchronous", "foreign_keys", "user_version"].map {
                try String.fetchOne(database, sql: "PRAGMA \($0)")
            }
        }
        #expect(pragmas == ["wal", "\(synchronous)", "1", "1"])
        await database.close()
    }

    @Test func runsOnlyTheStepsThatAreMissing() async throws {
        let first = try await DurableDatabase.open(at: path, steps: [numbers])
        try await first.insert(1)
        await first.close()
        let second = try await DurableDatabase.open(at: path, steps: [numbers, children])
        try await second.write { try $0.execute(sql: "INSERT INTO children VALUES (1, 1)") }
        #expect(try await second.values() == [1])
        await second.close()
        let third = try await DurableDatabase.open(at: path, steps: [numbers, children])
        #expect(try await third.values() == [1])
        await third.close()
    }

    @Test func refusesANewerVersionAndLeavesTheFileUntouched() async throws {
        let newer = try await DurableDatabase.open(at: path, steps: [numbers, children])
        try await newer.insert(7)
        await newer.close()
        let before = try contents(of: path)
        let files = try directory.files()
        let error = await #expect(throws: DurableSQLiteError.self) {
            try await DurableDatabase.open(at: path, steps: [numbers])
        }
        #expect(error?.code == .newerVersion)
        #expect(error?.message.contains("version 2") == true)
        #expect(try contents(of: path) == before)
        #expect(try directory.files() == files)
    }

    @Test func aStepThatFailsLeavesTheVersionBefore() async throws {
        let wrong = SchemaStep("wrong", sql: "CREATE TABLE other (id INTEGER); CREATE TABEL mistake")
        let error = await #expect(throws: DurableSQLiteError.self) {
            try await DurableDatabase.open(at: path, steps: [numbers, wrong])
        }
        #expect(error?.code == .misuse)
        #expect(error?.message.contains("schema step 2: wrong") == true)
        let database = try await DurableDatabase.open(at: path, steps: [numbers])
        let tables = try await database.read {
            try String.fetchAll($0, sql: "SELECT name FROM sqlite_schema")
        }
        #expect(tables == ["numbers"])
        await database.close()
    }

    @Test(arguments: [Array("this is a text, not a database".utf8), Array(repeating: 0xFF, count: 120)])
    func refusesWhatIsNoDatabase(bytes: [UInt8]) async throws {
        try write(bytes, to: path)
        let error = await #expect(throws: DurableSQLiteError.self) {
            try await DurableDatabase.open(at: path, steps: [numbers])
        }
        #expect(error?.code == .corrupt)
        #expect(try contents(of: path) == bytes)
    }

    @Test func refusesADamagedDatabase() async throws {
        var bytes = Array("SQLite format 3\0".utf8)
        bytes += Array(repeating: 0, count: 84) + Array(repeating: 0xAB, count: 8000)
        try write(bytes, to: path)
        let error = await #expect(throws: DurableSQLiteError.self) {
            try await DurableDatabase.open(at: path, steps: [numbers])
        }
        #expect(error?.code == .corrupt)
    }

    @Test func saysThatTheDirectoryIsMissing() async throws {
        let error = await #expect(throws: DurableSQLiteError.self) {
            try await DurableDatabase.open(at: directory.path + "/missing/data.sqlite", steps: [numbers])
        }
        #expect(error?.code == .io)
    }

    @Test func anEmptyFileBecomesADatabase() async throws {
        try write([], to: path)
        let database = try await DurableDatabase.open(at: path, steps: [numbers])
        try await database.insert(3)
        await database.close()
    }

    @Test func temporaryDatabasesAreApartAndGo() async throws {
        let path: String
        do {
            let one = try await DurableDatabase.temporary(steps: [numbers])
            let other = try await DurableDatabase.temporary(steps: [numbers])
            try await one.insert(1)
            #expect(try await other.values().isEmpty)
            path = one.path
            #expect(try !contents(of: path).isEmpty)
            await one.close()
            await other.close()
        }
        #expect(throws: (any Error).self) { try contents(of: path) }
    }
}
