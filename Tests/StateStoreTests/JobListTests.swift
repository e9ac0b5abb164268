import Model
import StateStore
import Testing

@Suite("Lists of jobs")
struct JobListTests {
    @Test("the newest first, page by page, with the number of those that remain")
    func paging() async throws {
        try await withState { state in
            try await state.add("a", jobs: (1...7).map { "a-\($0)" })
            try await state.add("b", jobs: ["b-1"])
            var filter = JobFilter(service: try ServiceName("a"), limit: 3)
            var pages: [[String]] = []
            var remainders: [Int] = []
            while true {
                let (jobs, remaining) = try await state.jobs(filter)
                pages.append(jobs.map(\.name.text))
                remainders.append(remaining)
                guard remaining > 0 else { break }
                filter.before = jobs.last?.number
            }
            #expect(pages == [["a-7", "a-6", "a-5"], ["a-4", "a-3", "a-2"], ["a-1"]])
            #expect(remainders == [4, 1, 0])
        }
    }

    @Test("a page that is exactly full has nothing after it")
    func exactPage() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1", "a-2"])
            let (jobs, remaining) = try await state.jobs(JobFilter(limit: 2))
            #expect(jobs.count == 2 && remaining == 0)
            #expect(try await state.jobs(JobFilter(service: try ServiceName("none"))).jobs.isEmpty)
        }
    }

    @Test("by state, by service, by both")
    func filters() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1", "a-2", "a-3"])
            try await state.add("b", jobs: ["b-1"])
            try await state.advance(try await state.find("a-1").number, to: .running)
            try await state.advance(try await state.find("b-1").number, to: .running)
            _ = try await state.end(
                try await state.find("a-2").number, as: .failed, at: time(20), result: AttemptResult())
            func names(_ filter: JobFilter) async throws -> [String] {
                try await state.jobs(filter).jobs.map(\.name.text).sorted()
            }
            let a = try ServiceName("a")
            #expect(try await names(JobFilter(states: [.running])) == ["a-1", "b-1"])
            #expect(try await names(JobFilter(service: a, states: [.running])) == ["a-1"])
            #expect(try await names(JobFilter(service: a, states: [.failed, .queued])) == ["a-2", "a-3"])
            #expect(try await names(JobFilter(states: [.cancelled])) == [])
            #expect(try await state.jobCounts() == [.running: 2, .failed: 1, .queued: 1])
            #expect(try await state.unendedJobs() == ["a-1", "b-1"])
        }
    }

    @Test("one job is deleted once")
    func deleteOne() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["a-1", "a-2"])
            let number = try await state.find("a-1").number
            #expect(try await state.deleteJob(number))
            #expect(try await !state.deleteJob(number))
            #expect(try await state.names() == ["a-2"])
        }
    }

    @Test("ended jobs are removed by state, the oldest first, so many at once")
    func deleteEndedByState() async throws {
        try await withState { state in
            try await state.add("a", jobs: (1...4).map { "ok-\($0)" } + ["bad-1", "waits-1"])
            try await state.add("b", jobs: ["b-1"])
            for name in (1...4).map({ "ok-\($0)" }) + ["b-1"] {
                _ = try await state.end(
                    try await state.find(name).number, as: .succeeded, at: time(20), result: AttemptResult())
            }
            _ = try await state.end(
                try await state.find("bad-1").number, as: .failed, at: time(20), result: AttemptResult())
            let a = try ServiceName("a")
            #expect(
                try await state.deleteEnded(of: a, states: [.succeeded], limit: 3).map(\.text).sorted() == [
                    "ok-1", "ok-2", "ok-3",
                ])
            #expect(try await state.deleteEnded(of: a, states: [.succeeded], limit: 3).map(\.text) == ["ok-4"])
            #expect(try await state.deleteEnded(of: a, states: [.succeeded], limit: 3) == [])
            #expect(try await state.names().sorted() == ["b-1", "bad-1", "waits-1"])
            // What has not ended is not removed, whatever is asked for.
            #expect(
                try await state.deleteEnded(of: a, states: Set(JobState.allCases), limit: 10).map(\.text) == ["bad-1"])
        }
    }

    @Test("ended jobs are removed by age")
    func deleteEndedByAge() async throws {
        try await withState { state in
            try await state.add("a", jobs: ["old", "older", "new", "waits"])
            for (name, seconds): (String, Int64) in [("old", 90), ("older", 50), ("new", 100)] {
                _ = try await state.end(
                    try await state.find(name).number, as: .failed, at: time(seconds), result: AttemptResult())
            }
            #expect(try await state.deleteEnded(before: time(100), limit: 1).map(\.job.text) == ["older"])
            let rest = try await state.deleteEnded(before: time(100), limit: 10)
            #expect(rest.map(\.job.text) == ["old"] && rest.map(\.service.text) == ["a"])
            #expect(try await state.names() == ["new", "waits"])
        }
    }
}
