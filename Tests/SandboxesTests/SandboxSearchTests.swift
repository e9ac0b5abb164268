import Model
import Synchronization
import SystemPackage
import Testing

@testable import Sandboxes

@Suite("Looking for a sandbox until it is found")
struct SandboxSearchTests {
    /// A machine on which nothing can be found the first few times; counts the searches.
    private final class Machine: Sendable {
        private let failures: Int
        private let searches = Mutex(0)

        init(failures: Int) { self.failures = failures }

        var count: Int { searches.withLock { $0 } }

        @Sendable func look() async -> Result<any Sandbox, SandboxError> {
            let number = searches.withLock { searches in
                searches += 1
                return searches
            }
            guard number > failures else { return .failure(SandboxError(.unavailable, "search \(number)")) }
            return .success(
                ProcessSandbox(.init(dataDirectory: "/nowhere", waitingShells: 0, usesControlGroups: false)))
        }
    }

    @Test("what was found is kept")
    func found() async throws {
        let machine = Machine(failures: 0)
        let search = SandboxSearch(pause: .zero, find: machine.look)
        for _ in 0..<3 { #expect(try await search.sandbox().kind == .process) }
        #expect(await search.known != nil)
        #expect(machine.count == 1)
    }

    @Test("what was not found is looked for again, by who needs it")
    func again() async throws {
        let machine = Machine(failures: 2)
        let search = SandboxSearch(pause: .zero, find: machine.look)
        #expect(await search.known == nil)
        #expect(machine.count == 1)
        for number in 1...2 {
            let error = await #expect(throws: SandboxError.self) { _ = try await search.sandbox() }
            #expect(error?.message == "search \(number)")
        }
        #expect(try await search.sandbox().kind == .process)
        #expect(machine.count == 3)
    }

    @Test("not more often than the pause says, however many ask")
    func pause() async {
        let machine = Machine(failures: .max)
        let search = SandboxSearch(pause: .seconds(3600), find: machine.look)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 {
                group.addTask { await #expect(throws: SandboxError.self) { _ = try await search.sandbox() } }
            }
        }
        #expect(machine.count == 1)
    }
}
