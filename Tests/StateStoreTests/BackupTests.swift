import LoopbackServer
import Model
import StateStore
import SystemPackage
import Testing

@Suite("Copies of the state")
struct BackupTests {
    @Test("files that jobs need are listed page by page: of those that are still to run, and results that wait")
    func files() async throws {
        try await withState { state in
            try await state.insert(try service("a"))
            for name in ["a-1", "a-2", "a-3", "a-4"] { try await state.enqueue(try job(name, of: "a", body: nil)) }
            try await state.enqueue(try job("a-5", of: "a"))
            try await state.route([try job("a-6", of: "a", event: 1)], upTo: 1)
            let ended = try await state.find("a-2")
            _ = try await state.end(ended.number, as: .succeeded, at: time(20), result: AttemptResult())
            let running = try await state.find("a-3")
            try await state.advance(running.number, to: .running, attempts: 1)
            let delivering = try await state.find("a-4")
            try await state.deliver(
                [delivery("x"), delivery("y")], of: delivering.number, at: time(20), result: AttemptResult())
            let first = try await state.eventFiles(after: 0, limit: 1)
            #expect(first.map(\.job.text) == ["a-1"] && first[0].result == nil)
            #expect(try await state.eventFiles(after: first[0].place, limit: 9).map(\.job.text) == ["a-3"])
            let results = try await state.deliveryFiles(after: 0, limit: 9)
            #expect(results.map(\.job.text) == ["a-4", "a-4"] && results.map(\.result) == ["0", "0"])
            #expect(try await state.deliveryFiles(after: results[0].place, limit: 9).count == 1)
        }
    }

    @Test("a copy is of one moment, beside writers, and can be opened")
    func copy() async throws {
        try await TemporaryFolder.with { folder in
            let path = folder.appending("copy.sqlite").string
            try await withState(at: folder) { state in
                try await state.add("a", jobs: ["a-1"])
                let reader = try await ClusterState.openReadOnly(at: folder.appending("state.sqlite").string)
                try await reader.copy(to: path)
                try await state.enqueue(try job("a-2", of: "a"))
                #expect(try await reader.names() == ["a-1", "a-2"])
                await reader.close()
            }
            let copy = try await ClusterState.openReadOnly(at: path)
            #expect(try await copy.names() == ["a-1"])
            await copy.close()
        }
    }

    @Test("what is no state cannot be opened for reading")
    func none() async throws {
        try await TemporaryFolder.with { folder in
            let file = try folder.appending("state.sqlite").write(Array(repeating: 7, count: 5000))
            for path in [file, folder.appending("missing.sqlite")] {
                let error = await #expect(throws: StateStoreError.self) {
                    try await ClusterState.openReadOnly(at: path.string)
                }
                #expect(error?.code == .database)
            }
        }
    }
}
