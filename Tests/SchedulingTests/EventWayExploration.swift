import Model
import Scheduling
import Testing

/// The way of events through router, queue and outbox, with a crash at each point: each event that a service asked for makes
/// one job, and the job's result one object with one event in the other cluster.
///
/// The world has three events, the second of which concerns nobody. What a transaction writes changes in one move; whatever
/// lies between two transactions can be the end of the program. Answers of the other cluster can be lost.
@Suite("The way of events, explored")
struct EventWayExploration {
    static let concerned: Set<Int> = [1, 3]
    static let last = 3

    struct Job: Hashable {
        var cycle = JobLifeCycle()
        var isQueued = true
        var isRunning = false
        /// The delivery of its result waits.
        var waits = false
        /// The delivery was sent, and the answer is not here yet.
        var isSent = false
    }

    struct World: Hashable {
        // Durable: the object store's events, the router's place and what it made before its turn, the jobs.
        var uploaded = 0
        var discarded = 0
        var place = 0
        var ahead: Set<Int> = []
        var jobs: [Int: Job] = [:]
        // Durable in the other cluster.
        var receipts: Set<Int> = []
        // Memory.
        var position = 0
        /// The place was recorded so that events up to there may be discarded.
        var mayDiscard = 0
        // What an observer counts.
        var made: [Int: Int] = [:]
        var arrived: [Int: Int] = [:]
        // What may still go wrong.
        var crashes = 2
        var losses = 1

        mutating func make(_ event: Int) {
            jobs[event] = Job()
            made[event, default: 0] += 1
        }

        mutating func step(_ event: Int, _ events: [JobLifeCycle.Event], _ change: (inout Job) -> Void) {
            guard var job = jobs[event], job.cycle.handle(events) != nil else { return }
            change(&job)
            jobs[event] = job
        }
    }

    typealias Move = (isFault: Bool, world: World)

    static func moves(_ world: World) -> [Move] {
        var moves: [Move] = []
        func move(isFault: Bool = false, _ change: (inout World) -> Void) {
            var next = world
            change(&next)
            moves.append((isFault, next))
        }
        if world.uploaded < last { move { $0.uploaded += 1 } }
        for length in 1...2 where world.position + length <= world.uploaded {
            move { route($0.position + 1...$0.position + length, &$0) }
        }
        for event in concerned where event > world.position && event <= world.uploaded && !world.ahead.contains(event) {
            move { next in
                next.make(event)
                next.ahead.insert(event)
            }
        }
        if world.mayDiscard < world.position {
            // First the place is recorded, then the events go.
            move { next in
                next.place = next.position
                next.mayDiscard = next.position
            }
        }
        if world.discarded < world.mayDiscard { move { $0.discarded = $0.mayDiscard } }
        for event in concerned { moves += self.moves(of: event, world) }
        if world.crashes > 0 { move(isFault: true, crash) }
        return moves
    }

    private static func route(_ events: ClosedRange<Int>, _ world: inout World) {
        let due = events.filter { concerned.contains($0) }
        for event in due where !world.ahead.contains(event) { world.make(event) }
        world.position = events.upperBound
        // What concerns nobody is passed without a transaction.
        guard !due.isEmpty else { return }
        world.place = events.upperBound
        world.ahead = world.ahead.filter { $0 > events.upperBound }
    }

    private static func moves(of event: Int, _ world: World) -> [Move] {
        guard let job = world.jobs[event] else { return [] }
        var moves: [Move] = []
        func move(isFault: Bool = false, _ change: (inout World) -> Void) {
            var next = world
            change(&next)
            moves.append((isFault, next))
        }
        if job.isQueued, job.cycle.state == .queued {
            move { world in
                world.step(event, [.started, .scriptStarted]) { ($0.isQueued, $0.isRunning) = (false, true) }
            }
        }
        if job.isRunning {
            move { world in
                world.step(event, [.scriptSucceeded, .resultsStored(awaitingDelivery: true)]) {
                    ($0.isRunning, $0.waits) = (false, true)
                }
            }
        }
        if job.waits, !job.isSent {
            move { world in
                // The other cluster's store: receipt, object and event in one transaction.
                if world.receipts.insert(event).inserted { world.arrived[event, default: 0] += 1 }
                world.jobs[event]?.isSent = true
            }
        }
        if job.isSent {
            move { world in world.step(event, [.delivered]) { ($0.waits, $0.isSent) = (false, false) } }
            if world.losses > 0 {
                move(isFault: true) { world in
                    world.losses -= 1
                    world.jobs[event]?.isSent = false
                }
            }
        }
        // Its history is over.
        if job.cycle.state.isFinal { move(isFault: true) { $0.jobs[event] = nil } }
        return moves
    }

    private static func crash(_ world: inout World) {
        world.crashes -= 1
        (world.position, world.mayDiscard) = (world.place, world.place)
        for event in world.jobs.keys {
            world.jobs[event]?.isSent = false
            world.step(event, [.programEnded(resultsAreWhole: false)]) { job in
                job.isRunning = false
                job.isQueued = job.cycle.state == .queued
            }
        }
    }

    @Test("with two crashes and a lost answer")
    func everything() {
        var seen: Set<World> = [World()]
        var open = [World()]
        while let world = open.popLast() {
            for event in 1...Self.last {
                #expect(world.made[event, default: 0] <= 1, "\(world)")
                #expect(world.arrived[event, default: 0] <= 1, "\(world)")
            }
            #expect(world.discarded <= world.place, "\(world)")
            let next = Self.moves(world)
            if !next.contains(where: { !$0.isFault }) {
                // Nothing is left to do: all has come to its end.
                #expect(world.uploaded == Self.last && world.position == Self.last, "\(world)")
                for event in Self.concerned {
                    #expect(world.made[event] == 1 && world.arrived[event] == 1, "\(world)")
                }
            }
            for move in next where seen.insert(move.world).inserted { open.append(move.world) }
        }
        #expect(seen.count > 10_000)
    }
}
