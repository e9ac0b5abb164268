import LoopbackServer
import NIOHTTP1
import Testing

@testable import Commands

struct DeliveryTests {
    @Test func listsRetriesAndDrops() async throws {
        let list = """
            {"destinations":[{"destination":"s/minio.cloud","waiting":3,"bytes":2048,"oldest":"2026-01-01T00:00:00Z",\
            "state":"resting","next_attempt":"2026-01-01T00:01:00Z","error":"no answer"},
            {"destination":"webhook:audit","waiting":1,"state":"idle"}]}
            """
        let cluster = FakeCluster([
            "GET /apus/v1/deliveries": LoopbackResponse(text: list),
            "POST /apus/v1/deliveries/retry": LoopbackResponse(text: #"{"waiting":4}"#),
            "DELETE /apus/v1/deliveries": LoopbackResponse(text: #"{"dropped":3}"#),
        ])
        try await withCluster(cluster) { (world) async throws in
            let table = await world.run("delivery", "list").output
            #expect(table.contains("s/minio.cloud") && table.contains("2 KiB") && table.contains("no answer"))
            #expect(table.contains("webhook:audit"))
            #expect(await world.run("delivery", "list", "-o", "json").output.contains("\"state\": \"resting\""))
            #expect(await world.run("delivery", "retry").output == "4 waiting\n")
            #expect(await world.run("delivery", "retry", "s/minio.cloud").output == "4 waiting\n")
            let unsure = await world.run("delivery", "drop", "s/minio.cloud")
            #expect(unsure.status != 0 && unsure.error.contains("--yes"))
            #expect(await world.run("delivery", "drop", "s/minio.cloud", "--yes").output == "3 given up\n")
        }
    }
}
