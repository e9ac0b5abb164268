import Cluster
import ClusterTesting
import LoopbackServer
import Model
import Scheduling
import ServiceLifecycle
import StateStore
import Synchronization
import SystemPackage
import TestKit
import Testing

/// A clock that tests put where they want.
private final class Clock: Sendable {
    private let time: Mutex<Int64>

    init(_ seconds: Int64) { time = Mutex(seconds) }

    var now: Instant { Instant(seconds: time.withLock { $0 }) }

    func set(_ seconds: Int64) { time.withLock { $0 = seconds } }
}

@Suite("Jobs by the clock", .serialized, .timeLimit(.minutes(2)))
struct ScheduleServiceTests {
    private func options(_ clock: Clock) -> ClusterFixture.Options {
        var options = ClusterFixture.Options()
        options.now = { clock.now }
        return options
    }

    private func schedule(_ json: String) throws -> JSONObject { ["schedule": try JSONValue.parse(json)] }

    private func jobs(_ cluster: ClusterFixture) async throws -> Int { try await cluster.allJobs("s").count }

    @Test("a schedule makes a job with its payload at each instant, and none before it was there")
    func fires() async throws {
        let clock = Clock(1_800_000_030)
        try await ClusterFixture.serve(options(clock)) { cluster in
            try await cluster.create(
                "s", script: "cat \"$INPUT_FILE_PATH\"; echo",
                more: schedule(#"[{"rate":"1m","name":"m","event":{"n":1}}]"#))
            #expect(try await cluster.schedules.round() == Instant(seconds: 1_800_000_060))
            #expect(try await jobs(cluster) == 0)
            for (seconds, count): (Int64, Int) in [(1_800_000_059, 0), (60, 1), (61, 1), (119, 1), (120, 2), (185, 3)] {
                clock.set(seconds < 1000 ? 1_800_000_000 + seconds : seconds)
                _ = try await cluster.schedules.round()
                #expect(try await jobs(cluster) == count, "at \(seconds)")
            }
            let ended = try await cluster.ended(3, of: "s")
            #expect(ended.allSatisfy { $0.state == .succeeded })
            #expect(try await cluster.log(ended[0]).contains(#"{"n":1}"#))
            let view = try #require(try await cluster.schedules.schedules(of: nil).first)
            #expect(view.record?.lastDue == Instant(seconds: 1_800_000_180))
            #expect(view.next == Instant(seconds: 1_800_000_240))
            #expect(view.record?.lastJob == ended[2].name)
        }
    }

    @Test("a clock that jumps ahead and back makes no instant's job twice, and stops nothing")
    func clockJumps() async throws {
        let clock = Clock(1_800_000_000)
        try await ClusterFixture.serve(options(clock)) { cluster in
            try await cluster.create("s", script: "true", more: schedule(#"[{"rate":"1m","missed":"skip"}]"#))
            _ = try await cluster.schedules.round()
            for seconds: Int64 in [60, 120, 180] {
                clock.set(1_800_000_000 + seconds)
                _ = try await cluster.schedules.round()
            }
            // A year ahead, where one is due, and back behind what was done.
            clock.set(1_831_536_000)
            _ = try await cluster.schedules.round()
            #expect(try await jobs(cluster) == 4)
            clock.set(1_800_000_090)
            #expect(try await cluster.schedules.round() == Instant(seconds: 1_800_000_120))
            for seconds: Int64 in [120, 150, 180, 200] {
                clock.set(1_800_000_000 + seconds)
                _ = try await cluster.schedules.round()
            }
            #expect(try await jobs(cluster) == 4)
            clock.set(1_800_000_240)
            _ = try await cluster.schedules.round()
            #expect(try await jobs(cluster) == 5)
        }
    }

    @Test("over a restart, what was missed is as the policy says, and what was done is not done again")
    func restart() async throws {
        let clock = Clock(1_800_000_000)
        let options = options(clock)
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.serve(at: folder, options) { cluster in
                for (name, missed) in [("skip", "skip"), ("once", "once"), ("all", "all")] {
                    let more = try schedule(#"[{"rate":"10m","missed":"\#(missed)","max_missed":4}]"#)
                    try await cluster.create(name, script: "true", more: more)
                }
                _ = try await cluster.schedules.round()
                clock.set(1_800_000_600)
                _ = try await cluster.schedules.round()
                try await cluster.ended(3)
            }
            clock.set(1_800_006_300)
            for _ in 0..<2 {
                try await ClusterFixture.serve(at: folder, options) { cluster in
                    _ = try await cluster.schedules.round()
                    try await cluster.ended(8)
                    for (name, count) in [("skip", 1), ("once", 2), ("all", 5)] {
                        #expect(try await cluster.allJobs(name).count == count, "\(name)")
                    }
                }
            }
        }
    }

    @Test("a schedule that is changed or taken away makes nothing of the past")
    func changes() async throws {
        let clock = Clock(1_800_000_000)
        try await ClusterFixture.serve(options(clock)) { cluster in
            func update(_ json: String) async throws {
                try await cluster.registry.update(
                    ClusterFixture.definition("s", script: "true", more: try schedule(json)))
                _ = try await cluster.schedules.round()
            }
            try await cluster.create("s", script: "true", more: schedule(#"[{"rate":"1h","name":"n"}]"#))
            _ = try await cluster.schedules.round()
            clock.set(1_800_003_000)
            try await update(#"[{"rate":"10m","name":"n"}]"#)
            #expect(try await jobs(cluster) == 0)
            clock.set(1_800_003_600)
            _ = try await cluster.schedules.round()
            #expect(try await jobs(cluster) == 1)
            try await update("[]")
            clock.set(1_800_007_200)
            #expect(try await cluster.schedules.round() == nil)
            #expect(try await cluster.state.schedules().isEmpty)
            #expect(try await jobs(cluster) == 1)
        }
    }

    @Test("the service runs by itself: a schedule of every second makes jobs")
    func runs() async throws {
        try await ClusterFixture.serve { cluster in
            let group = ServiceGroup(services: [cluster.schedules], logger: cluster.logger)
            try await withThrowingTaskGroup(of: Void.self) { tasks in
                tasks.addTask { try await group.run() }
                try await cluster.create("s", script: "true", more: schedule(#"["rate(1 second)"]"#))
                try await eventually("two jobs") { try await jobs(cluster) >= 2 }
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
            }
        }
    }

    @Test("a zone that this machine does not know is refused, and says what to do")
    func unknownZone() async throws {
        try await ClusterFixture.serve { cluster in
            let more = try schedule(#"[{"cron":"0 0 * * *","time_zone":"Europe/Atlantis"}]"#)
            do {
                try await cluster.create("s", script: "true", more: more)
                Issue.record("it was taken")
            } catch let error as ClusterError {
                #expect(error.code == .invalid)
                #expect(error.message.contains("schedule[0].time_zone: this machine does not know"))
                #expect(error.message.contains("install tzdata"))
            }
        }
        let zones = TimeZones(folders: ["/nowhere"])
        #expect(try await zones.rules(of: .utc) == .utc)
        await #expect(throws: ClusterError.self) {
            try await zones.rules(of: try #require(TimeZoneName("Europe/Madrid")))
        }
    }
}
