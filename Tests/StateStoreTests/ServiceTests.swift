import GRDB
import LoopbackServer
import Model
import StateStore
import SystemPackage
import Testing

@Suite("Services in the state store")
struct ServiceTests {
    @Test("insert, update, delete")
    func lifeCycle() async throws {
        try await withState { state in
            try await state.insert(try service("b", buckets: ["one", "two"]))
            try await state.insert(try service("a"))
            #expect(try await state.services().map(\.name.text) == ["a", "b"])
            let stored = try await state.services()[1]
            #expect(stored.madeBuckets.map(\.text) == ["one", "two"])
            #expect(stored.definition == (try service("b").definition))
            #expect(stored.created == time(1))

            try await state.update(try service("b", version: 2))
            let updated = try await state.services()[1]
            #expect(updated.version == 2 && updated.updated == time(2) && updated.madeBuckets.isEmpty)

            #expect(try await state.deleteService(try ServiceName("b")))
            #expect(try await !state.deleteService(try ServiceName("b")))
            #expect(try await state.services().map(\.name.text) == ["a"])
        }
    }

    @Test("a second one of that name and an update of none are refused")
    func conflicts() async throws {
        try await withState { state in
            try await state.insert(try service("a"))
            #expect(await code { try await state.insert(try service("a", version: 5)) } == .alreadyExists)
            #expect(try await state.services()[0].version == 1)
            #expect(await code { try await state.update(try service("b")) } == .notFound)
        }
    }

    @Test("jobs and deliveries go with their service, and with it alone")
    func cascade() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1", "a-2"])
            try await state.add("b", jobs: ["b-1"])
            let number = try await state.find("a-1").number
            try await state.deliver([delivery("x")], of: number, at: time(20), result: AttemptResult())
            let other = try await state.find("b-1").number
            try await state.deliver([delivery("x")], of: other, at: time(20), result: AttemptResult())
            _ = try await state.deleteService(try ServiceName("a"))
            #expect(try await state.names() == ["b-1"])
            #expect(try await state.deliveryCount() == 1)
        }
    }

    @Test("the jobs with files are those whose event or results lie on disk")
    func jobsWithFiles() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["inline", "delivers", "over"])
            try await state.enqueue(try job("file", of: "a", body: nil))
            try await state.enqueue(try job("file-over", of: "a", body: nil))
            let delivers = try await state.find("delivers").number
            try await state.deliver([delivery("x")], of: delivers, at: time(20), result: AttemptResult())
            for name in ["over", "file-over"] {
                _ = try await state.end(
                    try await state.find(name).number, as: .failed, at: time(30), result: AttemptResult())
            }
            #expect(
                try await state.jobsWithFiles(of: try ServiceName("a")).map(\.text).sorted() == [
                    "delivers", "file", "file-over",
                ])
        }
    }

    @Test("everything is there again after closing and opening")
    func reopen() async throws {
        try await TemporaryFolder.with { folder in
            try await withState(at: folder) { state in
                try await state.insert(try service("a", buckets: ["one"]))
                try await state.route([try job("a-1", of: "a", event: 4)], upTo: 9)
                let number = try await state.find("a-1").number
                try await state.deliver(
                    [delivery("x")], of: number, at: time(20),
                    result: AttemptResult(started: time(15), exitCode: 0, message: nil, run: .milliseconds(1500))
                )
            }
            try await withState(at: folder) { state in
                #expect(try await state.services().map(\.madeBuckets.first?.text) == ["one"])
                #expect(try await state.routerPosition() == 9)
                let record = try await state.find("a-1")
                #expect(record.state == .delivering && record.run == .milliseconds(1500) && record.started == time(15))
                #expect(record.input?.key.text == "in/a-1" && record.exitCode == 0 && record.principal == "someone")
                #expect(try await state.deliveries(of: record.number).map(\.name) == ["x"])
            }
        }
    }

    @Test("a state of a newer version is refused and left as it is")
    func newerSchema() async throws {
        try await TemporaryFolder.with { folder in
            try await withState(at: folder) { try await $0.insert(try service("a")) }
            let path = folder.appending("state.sqlite").string
            let version: Int
            do {
                let queue = try DatabaseQueue(path: path)
                version = try await queue.read { try Int.fetchOne($0, sql: "PRAGMA user_version") } ?? 0
                try await queue.write { try $0.execute(sql: "PRAGMA user_version = 1000") }
                try queue.close()
            }
            #expect(version >= 1)
            #expect(await code { try await withState(at: folder) { _ in } } == .database)
            let queue = try DatabaseQueue(path: path)
            #expect(try await queue.read { try Int.fetchOne($0, sql: "PRAGMA user_version") } == 1000)
            #expect(try await queue.read { try String.fetchAll($0, sql: "SELECT name FROM service") } == ["a"])
            try queue.close()
        }
    }

    @Test("a damaged row is told, not taken")
    func damage() async throws {
        try await TemporaryFolder.with { folder in
            try await withState(at: folder) { state in
                try await state.add("a", jobs: ["a-1"])
            }
            let queue = try DatabaseQueue(path: folder.appending("state.sqlite").string)
            try await queue.write { database in
                try database.execute(sql: "UPDATE job SET state = 'dreaming'")
                try database.execute(sql: "UPDATE service SET definition = '{'")
            }
            try queue.close()
            try await withState(at: folder) { state in
                #expect(await code { _ = try await state.services() } == .damaged)
                #expect(await code { _ = try await state.find("a-1") } == .damaged)
            }
        }
    }

    @Test("after closing every call fails with a code")
    func closed() async throws {
        try await withState { state in
            await state.close()
            #expect(await code { try await state.insert(try service("a")) } == .database)
            #expect(await code { _ = try await state.services() } == .database)
        }
    }
}
