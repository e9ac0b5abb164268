import LoopbackServer
import Model
import Synchronization
import Testing

@testable import Commands

struct JobTests {
    /// A cluster that changes 1000 jobs, then 7, then none.
    private final class Countdown: Sendable {
        private let left = Mutex<[Int]>([1000, 7, 0])
        let requests = Mutex<[String]>([])

        @Sendable func answer(_ request: LoopbackRequest) -> LoopbackResponse {
            requests.withLock { $0.append("\(request.method) \(request.target)") }
            let count = left.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
            return LoopbackResponse(text: "{\"jobs\":\(count)}")
        }
    }

    @Test func showsLogsAndChangesOne() async throws {
        let cluster = FakeCluster([
            "GET /apus/v1/jobs/a": LoopbackResponse(text: #"{"name":"a","state":"dead","history":[{"number":1}]}"#),
            "GET /apus/v1/jobs/a/log": LoopbackResponse(text: "hello\n"),
            "POST /apus/v1/jobs/a/cancel": LoopbackResponse(.noContent),
            "POST /apus/v1/jobs/b/cancel": LoopbackResponse(.conflict, text: "it has ended already"),
            "POST /apus/v1/jobs/a/retry": LoopbackResponse(.noContent),
            "DELETE /apus/v1/jobs/a": LoopbackResponse(.noContent),
        ])
        try await withCluster(cluster) { (world) async throws in
            #expect(await world.run("job", "show", "a").output.contains("state: dead"))
            #expect(await world.run("job", "show", "a", "--json").output.contains("\"number\": 1"))
            #expect(await world.run("job", "logs", "a", "--attempt", "2", "-t").output == "hello\n")
            #expect(await world.run("job", "cancel", "a").output == "Job \"a\" cancelled\n")
            let refused = await world.run("job", "cancel", "b", "a")
            #expect(refused.status == 9 && refused.error.contains("it has ended already"))
            #expect(await world.run("job", "retry", "a").output == "Job \"a\" is queued again\n")
            #expect(await world.run("job", "redrive", "a").output == "Job \"a\" is queued again\n")
            #expect(await world.run("job", "purge", "a").output == "Job \"a\" removed\n")
            #expect(cluster.seen.contains("GET /apus/v1/jobs/a/log?attempt=2&timestamps=true"))
        }
    }

    @Test(arguments: [
        (["redrive"], "1007 jobs are queued again\n", "POST /apus/v1/jobs/retry?state=dead&limit=1000"),
        (
            ["redrive", "--service", "s", "--since", "1h"], "1007 jobs are queued again\n",
            "POST /apus/v1/jobs/retry?state=dead&service=s&since=2023-11-14T21%3A13%3A20.000000000Z&limit=1000"
        ),
        (
            ["retry", "--service", "s"], "1007 jobs are queued again\n",
            "POST /apus/v1/jobs/retry?state=failed%2Cdead&service=s&limit=1000"
        ),
        (["purge", "--dead", "--yes"], "1007 jobs removed\n", "DELETE /apus/v1/jobs?state=dead&limit=1000"),
        (
            ["purge", "--dead", "--failed", "-y"], "1007 jobs removed\n",
            "DELETE /apus/v1/jobs?state=dead%2Cfailed&limit=1000"
        ),
    ])
    func changesMany(line: [String], output: String, request: String) async throws {
        let cluster = Countdown()
        try await LoopbackServer.with(cluster.answer) { port in
            try await TemporaryFolder.with { folder in
                let outcome = try await World.of(folder, port: port).run(["job"] + line)
                #expect(outcome.output == output, "\(outcome.error)")
            }
        }
        #expect(cluster.requests.withLock { $0 } == [request, request, request])
    }

    @Test(arguments: [(nil, 6, false), ("n", 4, false), ("", 4, false), ("y", 0, true), ("YES", 0, true)])
    func asksBeforeManyAreRemoved(answer: String?, status: Int32, isDone: Bool) async throws {
        let cluster = Countdown()
        try await LoopbackServer.with(cluster.answer) { port in
            try await TemporaryFolder.with { folder in
                var world = try World.of(folder, port: port)
                world.answer = answer
                let outcome = await world.run("job", "purge", "--dead", "--service", "s")
                #expect(outcome.status == status, "\(outcome.error)")
                if answer != nil {
                    #expect(outcome.error.contains("Remove all dead jobs of service \"s\"? [y/N] "))
                }
            }
        }
        #expect(cluster.requests.withLock { $0.isEmpty } == !isDone)
    }

    @Test func refusesTimesThatAreNone() async throws {
        try await withCluster(FakeCluster()) { (world) async throws in
            #expect(await world.run("job", "list", "--since", "yesterday").status == 6)
        }
    }
}
