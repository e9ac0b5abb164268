import Model
import StateStore
import Testing

@Suite("The router's place", .timeLimit(.minutes(1)))
struct RouterPlaceTests {
    @Test("is recorded when it is said to be, not before")
    func lags() async throws {
        try await withState { state in
            state.pass(upTo: 7)
            #expect(try await state.routerPosition() == 0)
            try await state.recordPassed()
            #expect(try await state.routerPosition() == 7)
            try await state.recordPassed()
            state.pass(upTo: 3)
            try await state.recordPassed()
            #expect(try await state.routerPosition() == 7)
        }
    }

    @Test("is recorded with what it is for: a service that comes later sees nothing of what was passed")
    func isRecordedWithServices() async throws {
        try await withState { state in
            state.pass(upTo: 5)
            let later = try service("later")
            try await state.insert(later)
            #expect(try await state.routerPosition() == 5)
            state.pass(upTo: 9)
            try await state.update(later)
            #expect(try await state.routerPosition() == 9)
        }
    }

    @Test("is not passed where a batch could not be committed")
    func staysBehindFailures() async throws {
        try await withState { state in
            await state.close()
            await #expect(throws: StateStoreError.self) { try await state.route([], upTo: 4) }
            #expect(state.passedPosition == 0)
        }
    }

    @Test("goes on with the next jobs")
    func isRecordedWithJobs() async throws {
        try await withState { state in
            state.pass(upTo: 5)
            try await state.route([], upTo: 6)
            #expect(try await state.routerPosition() == 6)
            #expect(state.passedPosition == 6)
        }
    }
}
