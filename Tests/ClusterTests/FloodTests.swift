import ClusterTesting
import LoopbackServer
import Model
import Scheduling
import StateStore
import TestKit
import Testing

@testable import Cluster

@Suite("Floods of events", .timeLimit(.minutes(2)))
struct FloodTests {
    @Test(
        "an event behind a flood of another bucket is routed before its end; each event makes one job, also after a restart"
    )
    func passesTheFlood() async throws {
        try await TemporaryFolder.with { folder in
            let count = 1600
            let (flood, calm) = (try ServiceName("flood"), try ServiceName("calm"))
            try await ClusterFixture.serve(at: folder) { cluster in
                try await cluster.create("flood", script: "true", input: ["flood-bkt/in"])
                try await cluster.create("calm", script: "true", input: ["calm-bkt/in"])
                for name in [flood, calm] { try await cluster.registry.pause(name, principal: "p") }
            }
            try await ClusterFixture.open(at: folder) { cluster in
                for number in 0..<count { try await cluster.put("x", "in/\(number)", in: "flood-bkt") }
                for number in 0..<3 { try await cluster.put("x", "in/\(number)", in: "calm-bkt") }
            }
            for _ in 0..<2 {
                try await ClusterFixture.serve(at: folder) { cluster in
                    try await eventually("all events are routed") {
                        let counts = try await cluster.state.jobCounts()
                        return counts[.queued] == count + 3
                    }
                    let (jobs, rest) = try await cluster.state.jobs(JobFilter(service: calm, limit: 10))
                    #expect(jobs.count == 3 && rest == 0)
                    let newest = try #require(
                        try await cluster.state.jobs(JobFilter(service: flood, limit: 1)).jobs.first)
                    // Most of the flood came after it.
                    #expect(jobs.allSatisfy { newest.number - $0.number > Int64(count / 2) })
                }
            }
        }
    }
}
