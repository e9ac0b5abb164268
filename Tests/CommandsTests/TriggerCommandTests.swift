import LoopbackServer
import Model
import NIOHTTP1
import Synchronization
import Testing

@testable import Commands

struct TriggerCommandTests {
    @Test func listsSchedules() async throws {
        let answer = """
            {"schedules":[{"service":"s","name":"n","expression":"0 2 * * *","missed":"once",\
            "next":"2026-01-01T02:00:00Z","jobs":4},{"service":"s","name":"@daily","expression":"@daily","problem":"no"}]}
            """
        let cluster = FakeCluster(["GET /apus/v1/schedules": LoopbackResponse(text: answer)])
        try await withCluster(cluster) { world in
            let table = await world.run("schedule", "list", "s").output
            #expect(table.contains("n: 0 2 * * *"))
            #expect(table.contains("2026-01-01T02:00:00Z"))
            #expect(cluster.seen.contains { $0.hasSuffix("schedules?service=s") })
            #expect(await world.run("schedule", "ls", "-o", "json").output.contains("\"problem\""))
        }
    }

    @Test func backfillsUntilTheEnd() async throws {
        let running = #"{"id":3,"state":"running","seen":1,"jobs":1}"#
        let done = #"{"id":3,"state":"done","seen":9,"jobs":7}"#
        let cluster = FakeCluster([
            "POST /apus/v1/services/s/backfills": LoopbackResponse(.accepted, text: running),
            "GET /apus/v1/services/s/backfills/3": LoopbackResponse(text: done),
            "GET /apus/v1/services/s/backfills": LoopbackResponse(text: #"{"backfills":[\#(done)]}"#),
            "DELETE /apus/v1/services/s/backfills/3": LoopbackResponse(text: #"{"id":3,"state":"cancelled"}"#),
            "POST /apus/v1/services/f/backfills": LoopbackResponse(
                .accepted, text: #"{"id":4,"state":"failed","message":"gone"}"#),
        ])
        try await withCluster(cluster) { world in
            let outcome = await world.run("service", "backfill", "s", "data/in", "--since", "24h")
            #expect(outcome.output == "backfill 3 is done: 9 objects seen, 7 jobs made\n")
            #expect(
                await world.run("service", "backfill", "s", "data", "--detach", "--json").output.contains("\"running\"")
            )
            #expect(await world.run("service", "backfill", "s", "--list").output.contains("done"))
            #expect(await world.run("service", "backfill", "s", "--cancel", "3").output.contains("cancelled"))
            let failed = await world.run("service", "backfill", "f", "data")
            #expect(failed.status == 7 && failed.error.contains("gone"))
            #expect(await world.run("service", "backfill", "s", "data", "--since", "soon").status == 6)
            #expect(await world.run("service", "backfill", "s").status == 64)
            #expect(await world.run("service", "backfill", "none", "data").status == 3)
        }
    }

    @Test func showsEvents() async throws {
        let answer = """
            {"events":[{"number":2,"time":"2026-01-01T00:00:01.000Z","event":"s3:ObjectCreated:Put","bucket":"data",\
            "key":"in/b","services":["s","gone"],"jobs":[{"name":"s-1","service":"s","state":"failed","exit_code":3}],\
            "webhooks":["hook"]},{"number":1,"time":"2026-01-01T00:00:00.000Z","event":"s3:ObjectRemoved:Delete",\
            "bucket":"data","key":"x","services":[],"jobs":[],"webhooks":[],"reason":"no service"}]}
            """
        let cluster = FakeCluster(["GET /apus/v1/events": LoopbackResponse(text: answer)])
        try await withCluster(cluster) { world in
            #expect(
                await world.run("events", "--bucket", "data").output == """
                    2026-01-01T00:00:00.000Z  ObjectRemoved:Delete  data/x  -> nobody: no service
                    2026-01-01T00:00:01.000Z  ObjectCreated:Put  data/in/b  -> s-1 failed (exit code 3), gone: its job was \
                    removed, webhook hook

                    """)
            #expect(cluster.seen.contains { $0.contains("bucket=data") && $0.contains("limit=20") })
            #expect(await world.run("events", "--json").output.split(separator: "\n").count == 2)
            #expect(await world.run("events", "--limit", "-1").status == 64)
        }
    }
}
