import Cluster
import ClusterTesting
import LoopbackServer
import Model
import ObjectEngine
import StateStore
import Synchronization
import SystemPackage
import TestKit
import Testing

@Suite("Jobs for objects that are there already", .serialized, .timeLimit(.minutes(3)))
struct BackfillTests {
    private func order(
        _ prefix: String = "in/",
        token: String = "t",
        since: Instant? = nil,
        isDryRun: Bool = false
    ) throws -> NewBackfill {
        NewBackfill(
            service: try ServiceName("s"), token: token, bucket: try BucketName("data"), prefix: prefix, since: since,
            isDryRun: isDryRun, principal: "admin")
    }

    private func done(_ id: Int64, _ cluster: ClusterFixture) async throws -> BackfillRecord {
        try await eventually("the backfill has ended") {
            let found = try await cluster.backfills.backfill(id, of: try ServiceName("s"))
            return found.state == .running ? nil : found
        }
    }

    private func fill(_ cluster: ClusterFixture, _ count: Int) async throws {
        _ = try await cluster.objects.createBucket(try BucketName("data"), owner: "o", tags: [:])
        for number in 0..<count { try await cluster.put("\(number)", "in/\(number)", in: "data") }
        try await cluster.put("x", "elsewhere/x", in: "data")
        try await cluster.put("", "in/folder/", in: "data")
        // What is routed later would find the service that the test makes.
        let last = try await cluster.objects.events(after: 0, limit: 10_000).last?.sequence ?? 0
        try await eventually("all is routed") { cluster.state.passedPosition >= last }
    }

    @Test("each object that an input takes gets one job, with the event that it would have had")
    func backfills() async throws {
        try await ClusterFixture.serve { cluster in
            try await fill(cluster, 7)
            try await cluster.create(
                "s", script: "cat \"$INPUT_FILE_PATH\"; echo \" of $STORAGE_OBJECT_KEY\"", input: ["data/in"])
            let begun = try await cluster.backfills.begin(order(""), again: false)
            let ended = try await done(begun.id, cluster)
            #expect((ended.state, ended.seen, ended.jobs) == (.done, 9, 7))
            let jobs = try await cluster.ended(7, of: "s")
            #expect(jobs.count == 7 && jobs.allSatisfy { $0.state == .succeeded && $0.principal == "admin" })
            #expect(try await cluster.log(jobs[3]).contains("3 of in/3"))
            // The same again is the same; anew makes them anew.
            #expect(try await cluster.backfills.begin(order(""), again: false).state == .done)
            #expect(try await cluster.allJobs("s").count == 7)
            _ = try await cluster.backfills.begin(order(""), again: true)
            #expect(try await done(begun.id, cluster).jobs == 7)
            #expect(try await cluster.ended(14, of: "s").count == 14)
        }
    }

    @Test("a dry run counts, and what is older or younger is left out")
    func countsAndTimes() async throws {
        try await ClusterFixture.serve { cluster in
            try await fill(cluster, 4)
            try await cluster.create("s", script: "true", input: ["data/in"])
            let dry = try await cluster.backfills.begin(order(token: "dry", isDryRun: true), again: true)
            let counted = try await done(dry.id, cluster)
            #expect((counted.jobs, try await cluster.allJobs("s").count) == (4, 0))
            let future = ClusterFixture.now() + .seconds(3600)
            let none = try await cluster.backfills.begin(order(token: "late", since: future), again: false)
            #expect(try await done(none.id, cluster).jobs == 0)
        }
        // Objects that are put after a backfill began have events of their own.
        var options = ClusterFixture.Options()
        options.now = { Instant(seconds: 1_000_000_000) }
        try await ClusterFixture.serve(options) { cluster in
            try await fill(cluster, 2)
            try await cluster.create("s", script: "true", input: ["data/in"])
            let early = try await cluster.backfills.begin(order(), again: false)
            #expect(try await done(early.id, cluster).jobs == 0)
        }
    }

    @Test("interrupted at any page it goes on where it was: no object twice, none left out")
    func interrupted() async throws {
        var options = ClusterFixture.Options()
        options.backfill.page = 3
        options.backfill.mostWaiting = 100_000
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.open(at: folder, options) { cluster in
                try await cluster.recover()
                _ = try await cluster.objects.createBucket(try BucketName("data"), owner: "o", tags: [:])
                for number in 0..<40 { try await cluster.put("x", "in/\(number)", in: "data") }
                try await cluster.create("s", script: "true", input: ["data/in"])
                // Nothing of the old events is routed to the new service.
                try await cluster.state.route([], upTo: 1_000_000)
                _ = try await cluster.backfills.begin(order(), again: false)
            }
            var rounds = 0
            while true {
                rounds += 1
                let state = Mutex<BackfillRecord.State?>(nil)
                let (before, bound) = (rounds, options)
                try await ClusterFixture.open(at: folder, bound) { cluster in
                    try await cluster.recover()
                    // Stopped as soon as it has done anything.
                    let start = try await cluster.state.backfills().first?.seen ?? 0
                    try await cluster.whileServing {
                        try await eventually("a page of round \(before)") {
                            let found = try await cluster.state.backfills().first
                            return found.map { $0.seen > start || $0.state == .done } ?? false
                        }
                    }
                    let found = try await cluster.state.backfills().first?.state
                    state.withLock { $0 = found }
                }
                if state.withLock({ $0 }) == .done { break }
                #expect(rounds < 60)
            }
            try await ClusterFixture.serve(at: folder, options) { cluster in
                let jobs = try await cluster.ended(40, of: "s")
                #expect(Set(jobs.compactMap { $0.input?.key.text }).count == 40)
                #expect(jobs.count == 40)
            }
        }
    }

    @Test("while many jobs wait none is added, and what is cancelled stays where it is")
    func throttledAndCancelled() async throws {
        var options = ClusterFixture.Options()
        options.backfill.page = 5
        options.backfill.mostWaiting = 8
        options.backfill.pause = .milliseconds(5)
        let folder = options
        try await ClusterFixture.serve(folder) { cluster in
            try await fill(cluster, 60)
            // Takes all there is, so its jobs wait for one another.
            try await cluster.create(
                "s", script: "while [ ! -e \"$GO\" ]; do sleep 0.05; done", input: ["data/in"],
                more: [
                    "cpu": .string("4"),
                    "environment": .object(["variables": .map(["GO": cluster.data.root.appending("go").string])]),
                ])
            let begun = try await cluster.backfills.begin(order(), again: false)
            try await eventually("it waits") { try await cluster.allJobs("s").count >= 8 }
            let held = try await cluster.backfills.cancel(begun.id, of: try ServiceName("s"))
            #expect(held.state == .cancelled && held.jobs <= 15)
            try cluster.data.root.appending("go").write([])
            try await cluster.ended(Int(held.jobs), of: "s")
            let resumed = try await cluster.backfills.begin(order(), again: false)
            #expect(resumed.afterKey == held.afterKey)
            #expect(try await done(begun.id, cluster).jobs == 60)
            #expect(try await cluster.ended(60, of: "s").count == 60)
        }
    }

    @Test("what cannot be backfilled is refused in words")
    func refusals() async throws {
        try await ClusterFixture.serve { cluster in
            try await fill(cluster, 1)
            try await cluster.create("s", script: "true", input: ["data/in"])
            func code(_ order: NewBackfill) async -> ClusterError.Code? {
                do { _ = try await cluster.backfills.begin(order, again: false) } catch {
                    return (error as? ClusterError)?.code
                }
                return nil
            }
            var other = try order("other/")
            #expect(await code(other) == .invalid)
            other.prefix = ""
            other.bucket = try BucketName("none")
            #expect(await code(other) == .notFound)
            other.service = try ServiceName("none")
            #expect(await code(other) == .notFound)
            await #expect(throws: ClusterError.self) {
                try await cluster.backfills.cancel(99, of: try ServiceName("s"))
            }
        }
    }
}

@Suite("Removed objects", .serialized, .timeLimit(.minutes(2)))
struct RemovedEventTests {
    @Test("an input that asks for removals gets them; one that does not gets none; S3's form reaches the script")
    func removals() async throws {
        try await ClusterFixture.serve { cluster in
            func input(_ events: [String]) -> JSONObject {
                ["input": .array([.object(["path": .string("data/in"), "events": .strings(events)])])]
            }
            let script = "cat \"$INPUT_FILE_PATH\"; echo \" key $STORAGE_OBJECT_KEY\""
            try await cluster.create("both", script: script, more: input(["created", "removed"]))
            try await cluster.create("gone", script: script, more: input(["removed"]))
            try await cluster.create("made", script: script, more: input([]))
            try await cluster.put("content", "in/a", in: "data")
            try await cluster.ended(1, of: "made")
            _ = try await cluster.objects.delete([try ObjectKey("in/a")], in: try BucketName("data"))
            let gone = try await cluster.ended(1, of: "gone")
            #expect(
                try await cluster.log(gone[0]).contains(#""EventName":"s3:ObjectRemoved:Delete","Key":"data/in/a""#))
            #expect(try await cluster.log(gone[0]).contains("key in/a"))
            #expect(try await cluster.ended(2, of: "both").count == 2)
            #expect(try await cluster.allJobs("made").count == 1)
            // Nobody asks any more: the store writes no such events.
            for name in ["both", "gone"] {
                try await cluster.registry.remove(try ServiceName(name), deletingData: false)
            }
            try await cluster.put("content", "in/b", in: "data")
            try await cluster.ended(2, of: "made")
            _ = try await cluster.objects.delete([try ObjectKey("in/b")], in: try BucketName("data"))
            #expect(
                try await cluster.objects.events(after: 0, limit: 1000).allSatisfy {
                    $0.key.text != "in/b" || $0.cause.isCreation
                })
        }
    }
}
