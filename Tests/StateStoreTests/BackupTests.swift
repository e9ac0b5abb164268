import LoopbackServer
import Model
import StateStore
import SystemPackage
import Testing

@Suite("Copies of the state")
struct BackupTests {
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
