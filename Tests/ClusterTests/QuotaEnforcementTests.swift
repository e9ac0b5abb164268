import Cluster
import ClusterTesting
import LoopbackServer
import Model
import NIOCore
import ObjectEngine
import Scheduling
import StateStore
import SystemPackage
import TestKit
import Testing

/// Quotas in a cluster that runs.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct QuotaEnforcementTests {
    private static func options(_ quota: String) throws -> ClusterFixture.Options {
        var options = ClusterFixture.Options()
        options.quota = try Quota(text: quota)
        return options
    }

    private static func create(
        _ cluster: ClusterFixture,
        _ name: String,
        script: String,
        input: [String] = [],
        output: [String] = [],
        owner: String = "ada",
        more: JSONObject = [:]
    ) async throws {
        try await cluster.registry.create(
            ClusterFixture.definition(name, script: script, input: input, output: output, more: more), owner: owner)
    }

    private static func expect(
        _ code: ClusterError.Code,
        _ words: String,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Void
    ) async {
        let error = await #expect(throws: ClusterError.self, sourceLocation: sourceLocation) { try await body() }
        #expect(error?.code == code, sourceLocation: sourceLocation)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")", sourceLocation: sourceLocation)
    }

    private static func touch(_ path: String) throws {
        let file = try FileDescriptor.open(
            FilePath(path), .writeOnly, options: [.create], permissions: .ownerReadWrite)
        try file.close()
    }

    @Test func aServiceThatCanNeverStartIsRefused() async throws {
        try await ClusterFixture.serve(Self.options("cpu=0.5,memory=1Gi")) { cluster in
            await Self.expect(.invalid, "cpu: 1 is more than the owner's quota allows at once (0.5)") {
                try await Self.create(cluster, "s", script: "true", more: ["cpu": .string("1")])
            }
            await Self.expect(.invalid, "memory: 2 GiB is more") {
                try await Self.create(cluster, "s", script: "true", more: ["memory": .string("2Gi")])
            }
            #expect(cluster.catalog.all.isEmpty)
            // The administrator has no quota.
            try await Self.create(
                cluster, "s", script: "true", owner: "cluster_admin", more: ["cpu": .string("1")])
        }
    }

    @Test func ofAnOwnersServicesRunsWhatTheQuotaAllows() async throws {
        try await ClusterFixture.serve(Self.options("cpu=0.1")) { cluster in
            let script = "while [ ! -e \"$STOP\" ]; do sleep 0.05; done"
            let stop = cluster.data.root.appending("stop").string
            let more: JSONObject = ["environment": .object(["variables": .object(["STOP": .string(stop)])])]
            for name in ["one", "two"] {
                try await Self.create(cluster, name, script: script, input: ["in-\(name)/x"], more: more)
                try await cluster.put("x", "x/a", in: "in-\(name)")
            }
            let waiting = try await eventually("one runs, one waits", state: { "\(try await cluster.allJobs())" }) {
                let jobs = try await cluster.allJobs()
                let isRunning = jobs.contains { $0.state == .running }
                return isRunning ? jobs.first { $0.state == .queued } : nil
            }
            let reason = try await cluster.jobs.job(waiting.name).reason ?? ""
            #expect(reason.hasPrefix("waits for its owner's quota of 0.1 cpu"), "\(reason)")
            let account = try await cluster.quotas.account(of: "ada")
            #expect(account.held.cpu == MilliCPU(100) && account.quota.cpu == MilliCPU(100))
            #expect(account.storage.buckets == 2 && account.storage.bytes == ByteCount(2))
            try Self.touch(stop)
            #expect(try await cluster.ended(2).allSatisfy { $0.state == .succeeded })
            // A job's place is free a moment after its end is recorded.
            try await eventually("nothing is held") {
                try await cluster.quotas.account(of: "ada").held.cpu == .zero
            }
        }
    }

    @Test func aLargerQuotaHoldsAtOnceAndSurvivesAStart() async throws {
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.serve(at: folder, Self.options("cpu=0.05,buckets=1")) { cluster in
                await Self.expect(.invalid, "cpu") { try await Self.create(cluster, "s", script: "true") }
                let request = try QuotaRequest(
                    JSONValue.parse(#"{"cpu":"0.2","minio":{"buckets":"2","storage_per_bucket":"3"}}"#))
                _ = try await cluster.quotas.change("ada", request)
                try await Self.create(cluster, "s", script: "true", input: ["source/in"], output: ["results/out"])
            }
            try await ClusterFixture.serve(at: folder, Self.options("cpu=0.05,buckets=1")) { cluster in
                let account = try await cluster.quotas.account(of: "ada")
                #expect(account.quota.cpu == MilliCPU(200) && account.quota.buckets == 2)
                #expect(cluster.quotas.book.quota(of: "bob").cpu == MilliCPU(50))
                let error = await #expect(throws: ObjectStoreError.self) {
                    try await cluster.put("1234", "in/k", in: "source")
                }
                #expect(error?.code == .quotaExceeded)
                try await cluster.put("123", "in/k", in: "source")
                #expect(try await cluster.ended(1).first?.state == .succeeded)
            }
        }
    }

    @Test func bucketsBeyondTheQuotaAreRefusedAndNothingIsLeft() async throws {
        try await ClusterFixture.serve(Self.options("buckets=1")) { cluster in
            await Self.expect(.forbidden, "the quota of ada allows 1 buckets") {
                try await Self.create(cluster, "s", script: "true", input: ["source/in"], output: ["results/out"])
            }
            #expect(try await cluster.objects.buckets().isEmpty && cluster.catalog.all.isEmpty)
            try await cluster.buckets.create(
                try BucketName("one"), by: Principal(owner: "ada"), visibility: nil, allowedUsers: [])
            await Self.expect(.forbidden, "allows 1 buckets") {
                try await cluster.buckets.create(
                    try BucketName("two"), by: Principal(owner: "ada"), visibility: nil, allowedUsers: [])
            }
        }
    }

    @Test func resultsOverTheQuotaFailTheJobOnce() async throws {
        try await ClusterFixture.serve(Self.options("storage_total=1000")) { cluster in
            try await Self.create(
                cluster, "s", script: "head -c 2000 /dev/zero > \"$TMP_OUTPUT_DIR/r\"", input: ["source/in"],
                output: ["results/out"],
                more: ["retry": .object(["infrastructure": .number("3"), "script": .number("3")])])
            try await cluster.put("x", "in/a", in: "source")
            let job = try #require(try await cluster.ended(1).first)
            #expect(job.state == .failed && job.attempts == 1)
            #expect(
                job.message?.hasPrefix("the result \"r\" cannot be stored: the buckets of ada would hold 2001 bytes")
                    == true, "\(job.message ?? "")")
            #expect(try await cluster.keys("results").isEmpty)
        }
    }

    @Test func aRunThatCanNeverFitIsRefused() async throws {
        try await ClusterFixture.serve { cluster in
            try await Self.create(cluster, "s", script: "true")
            _ = try await cluster.quotas.change("ada", QuotaRequest(JSONValue.parse(#"{"cpu":"50m"}"#)))
            await Self.expect(.invalid, "invalid workload: try to reduce the service resource (cpu, memory, etc.)") {
                _ = try await cluster.runs.run(
                    try ServiceName("s"), body: AsyncThrowingStream<ByteBuffer, any Error> { $0.finish() },
                    form: .bytes, principal: "ada")
            }
        }
    }
}
