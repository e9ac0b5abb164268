import ClusterTesting
import Model
import ObjectEngine
import StateStore
import TestKit
import Testing

@testable import Cluster

@Suite("The way from events to jobs", .serialized, .timeLimit(.minutes(2)))
struct EventRouterTests {
    @Test("an upload that triggers nothing costs no commit, and no service that comes later sees it")
    func passesBy() async throws {
        try await ClusterFixture.serve { cluster in
            _ = try await cluster.objects.createBucket(try BucketName("inbox"), owner: "o")
            try await cluster.put("early", "raw/early.txt", in: "inbox")
            try await cluster.put("early", "raw/early2.txt", in: "inbox")
            let passed = try await eventually("the router passes the events by") {
                cluster.state.passedPosition == 2 ? cluster.state.passedPosition : nil
            }
            #expect(try await cluster.state.routerPosition() == 0)
            try await cluster.create("router", script: "true", input: ["inbox/raw"])
            #expect(try await cluster.state.routerPosition() == passed)
            try await cluster.put("late", "raw/late.txt", in: "inbox")
            let jobs = try await cluster.ended(1, of: "router")
            #expect(jobs.map { $0.input?.key.text } == ["raw/late.txt"])
        }
    }

    @Test("what was passed by is recorded before a bucket gets other rules of notification")
    func recordsBeforeRules() async throws {
        try await ClusterFixture.serve { cluster in
            _ = try await cluster.objects.createBucket(try BucketName("inbox"), owner: "o")
            try await cluster.put("early", "raw/early.txt", in: "inbox")
            _ = try await eventually("the router passes the event by") {
                cluster.state.passedPosition == 1 ? true : nil
            }
            try await cluster.notifications.rulesWillChange()
            #expect(try await cluster.state.routerPosition() == 1)
        }
    }

    @Test("many uploads are all routed, whether they trigger something or not")
    func routesAll() async throws {
        try await ClusterFixture.serve { cluster in
            _ = try await cluster.objects.createBucket(try BucketName("other"), owner: "o")
            try await cluster.create("router", script: "true", input: ["inbox/raw"])
            for number in 0..<40 {
                try await cluster.put("x", "raw/\(number)", in: number % 4 == 0 ? "inbox" : "other")
            }
            let jobs = try await cluster.ended(10, of: "router")
            #expect(Set(jobs.map { $0.input?.key.text }).count == 10)
        }
    }
}
