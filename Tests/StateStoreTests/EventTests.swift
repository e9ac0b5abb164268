import Model
import StateStore
import Testing

@Suite("The last events, and how much of the past is kept")
struct EventTests {
    private func event(_ sequence: Int64, bucket: String = "data", services: [String] = []) throws -> RoutedEvent {
        let event = ObjectEvent(
            sequence: sequence, cause: .put, bucket: try BucketName(bucket), key: try ObjectKey("in/\(sequence)"),
            size: ByteCount(5), eTag: "", contentType: "", userMetadata: [:], time: time(sequence), principal: "p",
            sourceAddress: "")
        return RoutedEvent(
            event, services: try services.map { try ServiceName($0) }, webhooks: [],
            reason: services.isEmpty ? .noInput : nil)
    }

    private func numbers(_ state: ClusterState, _ filter: EventFilter) async throws -> [Int64] {
        try await state.events(filter).map(\.event.sequence)
    }

    @Test("an event is remembered once, with its jobs as they are")
    func remembers() async throws {
        try await withState { state in
            try await state.insert(try service("s"))
            for _ in 0..<2 {
                try await state.route(
                    [job("j1", of: "s", event: 7)], events: [event(7, services: ["s"]), event(8)], keepingEvents: 10,
                    upTo: 8)
            }
            let events = try await state.events(EventFilter())
            #expect(events.map(\.event.sequence) == [8, 7])
            #expect(events[0].event.reason == .noInput && events[0].jobs.isEmpty)
            #expect(events[1].event.services.map(\.text) == ["s"] && events[1].event.reason == nil)
            #expect(events[1].jobs.map(\.name.text) == ["j1"] && events[1].jobs.map(\.state) == [.queued])
            _ = try await state.end(
                try await state.find("j1").number, as: .failed, at: time(9), result: .init(exitCode: 3))
            #expect(try await state.events(EventFilter()).last?.jobs.first?.exitCode == 3)
        }
    }

    @Test("pages go back from the newest, and on from a number; buckets are told apart")
    func pages() async throws {
        try await withState { state in
            for number in 1...9 {
                let bucket = number % 3 == 0 ? "other" : "data"
                try await state.route([], events: [event(Int64(number), bucket: bucket)], keepingEvents: 100, upTo: 9)
            }
            #expect(try await numbers(state, EventFilter(limit: 3)) == [9, 8, 7])
            let last = try #require(try await state.events(EventFilter(limit: 3)).last?.number)
            #expect(try await numbers(state, EventFilter(before: last, limit: 3)) == [6, 5, 4])
            #expect(try await numbers(state, EventFilter(after: last, limit: 3)) == [8, 9])
            #expect(try await numbers(state, EventFilter(bucket: try BucketName("other"))) == [9, 6, 3])
        }
    }

    @Test("no more are kept than asked for, none that are too old, and none at all for 0")
    func forgets() async throws {
        try await withState { state in
            for number in stride(from: Int64(0), to: 100, by: 10) {
                let some = try (1...10).map { try event(number + $0) }
                try await state.route([], events: some, keepingEvents: 25, upTo: number + 10)
            }
            #expect(try await numbers(state, EventFilter()).count == 25)
            #expect(try await state.forgetEvents(before: time(90), limit: 5) == 5)
            #expect(try await state.forgetEvents(before: time(90), limit: 500) == 9)
            #expect(try await numbers(state, EventFilter()).last == 90)
            try await state.route([], events: [event(200)], keepingEvents: 0, upTo: 200)
            #expect(try await numbers(state, EventFilter()).first == 100)
        }
    }

    @Test("ended jobs of a service go by age and by number, and no others")
    func retention() async throws {
        try await withState { state in
            try await state.add("s", jobs: ["a", "b", "c", "waits"])
            try await state.add("other", jobs: ["x"])
            for (name, end): (String, Int64) in [("a", 10), ("b", 20), ("c", 30), ("x", 10)] {
                _ = try await state.end(
                    try await state.find(name).number, as: .succeeded, at: time(end), result: .init())
            }
            let s = try ServiceName("s")
            #expect(try await state.deleteEnded(of: s, before: time(20), limit: 10).map(\.text) == ["a"])
            #expect(try await state.deleteEnded(of: s, keeping: 2, limit: 10) == [])
            #expect(try await state.deleteEnded(of: s, keeping: 1, limit: 10).map(\.text) == ["b"])
            #expect(try await state.deleteEnded(of: s, keeping: 0, limit: 10).map(\.text) == ["c"])
            #expect(try await state.names() == ["waits", "x"])
        }
    }
}
