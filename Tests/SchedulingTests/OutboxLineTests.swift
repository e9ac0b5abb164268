import Model
import Scheduling
import TestKit
import Testing

/// A line in a test: a step is a call, the expectation is what it does next.
private struct Transcript {
    var line: OutboxLine
    var now = Instant(seconds: 1000)
    var random = SeededGenerator(seed: 1)

    init(parallel: Int = 2, first: Duration = .seconds(10), ceiling: Duration = .seconds(80)) {
        line = OutboxLine(parallel: parallel, backoff: Backoff(first: first, ceiling: ceiling))
    }

    /// All that the line does until it waits.
    mutating func actions(opening: Instant? = nil) -> [OutboxLine.Action] {
        var actions: [OutboxLine.Action] = []
        while actions.count < 1000 {
            let action = line.next(at: now, opening: opening)
            actions.append(action)
            switch action {
            case .load, .wait, .end: return actions
            case .send: continue
            }
        }
        return actions
    }

    mutating func load(_ entries: [OutboxLine.Entry], nextDue: Instant? = nil) -> [OutboxLine.Action] {
        guard case .load(_, let limit) = line.next(at: now) else { return [] }
        line.loaded(entries, limit: limit, nextDue: nextDue)
        return actions()
    }

    mutating func fail(_ id: Int64, _ setback: OutboxLine.Setback) -> Duration {
        line.failed(id, setback, at: now, pause: line.pause(after: setback, of: id, using: &random)) - now
    }
}

private func entry(_ id: Int64, _ key: String? = nil, attempts: Int = 0, behind: Bool = false) -> OutboxLine.Entry {
    OutboxLine.Entry(id: id, key: key ?? "k\(id)", attempts: attempts, isBehind: behind)
}

@Suite("The line to a destination")
struct OutboxLineTests {
    @Test("reads, sends a few side by side, and ends")
    func flow() {
        var line = Transcript()
        #expect(line.load([entry(1), entry(2), entry(3)]) == [.send(1), .send(2), .wait(until: nil)])
        line.line.arrived(2)
        #expect(line.actions() == [.send(3), .wait(until: nil)])
        line.line.arrived(1)
        #expect(line.actions() == [.wait(until: nil)])
        line.line.arrived(3)
        #expect(line.actions() == [.end])
        line.line.news()
        #expect(line.actions() == [.load(after: 3, limit: OutboxLine.window)])
    }

    @Test("entries of one key go one after another, others pass them")
    func keys() {
        var line = Transcript(parallel: 3)
        let entries = [entry(1, "a"), entry(2, "a", behind: true), entry(3, "b"), entry(4, "a", behind: true)]
        #expect(line.load(entries) == [.send(1), .send(3), .wait(until: nil)])
        line.line.arrived(3)
        #expect(line.actions() == [.wait(until: nil)])
        line.line.arrived(1)
        #expect(line.actions() == [.send(2), .wait(until: nil)])
        line.line.arrived(2)
        #expect(line.actions() == [.send(4), .wait(until: nil)])
    }

    @Test("a destination that fails rests, longer each time, and is tried with one")
    func rests() {
        var line = Transcript()
        #expect(line.load([entry(1), entry(2), entry(3)]) == [.send(1), .send(2), .wait(until: nil)])
        let first = line.fail(1, .destination(retryAfter: nil))
        #expect((.seconds(5)...(.seconds(10))).contains(first))
        // It was on its way when the first failed: the same failure.
        #expect(line.fail(2, .destination(retryAfter: nil)) == first)
        #expect(line.line.failures == 1)
        #expect(line.actions() == [.wait(until: line.now + first)])
        line.now = line.now + first
        // Another one: the destination may never want the first.
        #expect(line.actions() == [.send(3), .wait(until: nil)])
        let second = line.fail(3, .destination(retryAfter: nil))
        #expect((.seconds(10)...(.seconds(20))).contains(second) && line.line.failures == 2)
        line.now = line.now + second
        #expect(line.actions() == [.send(1), .wait(until: nil)])
        line.line.arrived(1)
        #expect(line.actions() == [.send(2), .send(3), .wait(until: nil)])
        #expect(line.line.failures == 0 && line.line.restsUntil == nil)
    }

    @Test("one that began before the destination failed ends no rest when it arrives")
    func lateArrival() {
        var line = Transcript()
        #expect(line.load([entry(1), entry(2), entry(3)]) == [.send(1), .send(2), .wait(until: nil)])
        let rest = line.fail(1, .destination(retryAfter: .seconds(300)))
        line.line.arrived(2)
        #expect(line.actions() == [.wait(until: line.now + rest)])
    }

    @Test("one that a destination never takes holds up nobody else")
    func neverTaken() {
        var line = Transcript()
        var sent: Set<Int64> = []
        var actions = line.load((1...9).map { entry($0) })
        for _ in 0..<60 {
            for action in actions {
                guard case .send(let id) = action else { continue }
                if id == 1 { _ = line.fail(1, .destination(retryAfter: nil)) } else { line.line.arrived(id) }
                if id != 1 { sent.insert(id) }
            }
            line.now = line.now + .seconds(100)
            actions = line.actions()
        }
        #expect(sent == Set(2...9))
    }

    @Test("the wish of a destination is followed, to an hour", arguments: [(1, 10), (300, 300), (86_400, 3600)])
    func wish(seconds: Int64, atMost: Int64) {
        var line = Transcript()
        _ = line.load([entry(1)])
        let pause = line.fail(1, .destination(retryAfter: .seconds(seconds)))
        #expect(pause <= .seconds(atMost) && pause >= min(.seconds(seconds), .seconds(3600)))
    }

    @Test("what is refused rests alone, and holds up only its key")
    func refusal() {
        var line = Transcript()
        let entries = [entry(1, "a"), entry(2, "a", behind: true), entry(3, "b"), entry(4, "c")]
        #expect(line.load(entries) == [.send(1), .send(3), .wait(until: nil)])
        let pause = line.fail(1, .entry(retryAfter: nil))
        #expect(line.line.failures == 0)
        #expect(line.actions() == [.send(4), .wait(until: nil)])
        line.line.arrived(3)
        line.line.arrived(4)
        let due = line.now + pause
        #expect(line.actions() == [.wait(until: due)])
        line.now = due
        let again = [entry(1, "a", attempts: 1), entry(2, "a", behind: true)]
        #expect(line.load(again) == [.send(1), .wait(until: nil)])
        line.line.arrived(1)
        #expect(line.actions() == [.send(2), .wait(until: nil)])
    }

    @Test("what lies behind one that rests is passed over until that has arrived")
    func passedOver() {
        var line = Transcript()
        // 1 is not due; 2 is behind it.
        let due = line.now + .seconds(5)
        #expect(
            line.load([entry(2, "a", behind: true), entry(3, "b")], nextDue: due) == [.send(3), .wait(until: due)])
        line.line.arrived(3)
        line.now = due
        #expect(line.load([entry(1, "a", attempts: 1), entry(2, "a", behind: true)]) == [.send(1), .wait(until: nil)])
    }

    @Test("where one arrives while the next are read, those are not passed over for good")
    func arrivesWhileReading() {
        var line = Transcript(parallel: 2)
        #expect(line.load([entry(1, "a")]) == [.send(1), .wait(until: nil)])
        line.line.news()
        guard case .load(1, let limit) = line.line.next(at: line.now) else { return #expect(Bool(false)) }
        // Read before 1 had arrived.
        line.line.arrived(1)
        line.line.loaded([entry(1, "a"), entry(2, "a", behind: true)], limit: limit, nextDue: nil)
        #expect(line.load([entry(2, "a")]) == [.send(2), .wait(until: nil)])
    }

    @Test("a closed link waits; what was broken off goes on at once when it opens")
    func windows() {
        var line = Transcript()
        _ = line.load([entry(1), entry(2)])
        let opening = line.now + .seconds(3600)
        #expect(line.fail(1, .interrupted) == .zero)
        #expect(line.actions(opening: opening) == [.wait(until: opening)])
        #expect(line.line.failures == 0)
        #expect(line.actions() == [.send(1), .wait(until: nil)])
    }

    @Test("somebody's word ends all rests")
    func retry() {
        var line = Transcript()
        _ = line.load([entry(1), entry(2)])
        _ = line.fail(1, .destination(retryAfter: nil))
        line.line.retry()
        // 2 began before: its failure is old news.
        _ = line.fail(2, .destination(retryAfter: nil))
        #expect(line.line.failures == 0)
        #expect(line.actions() == [.send(1), .send(2), .wait(until: nil)])
    }

    @Test("what was taken away is not sent; what is under way may end")
    func withdrawn() {
        var line = Transcript(parallel: 1)
        #expect(line.load([entry(1), entry(2)]) == [.send(1), .wait(until: nil)])
        line.line.withdrawn()
        line.line.arrived(1)
        #expect(line.load([]) == [.end])
        // Saying so twice, or of one that nobody knows, is harmless.
        line.line.arrived(1)
        _ = line.fail(2, .entry(retryAfter: nil))
        #expect(line.actions() == [.end])
    }

    @Test("a store that cannot be read is asked again")
    func loadFails() {
        var line = Transcript()
        #expect(line.actions() == [.load(after: 0, limit: OutboxLine.window)])
        line.line.loadFailed()
        #expect(line.actions() == [.load(after: 0, limit: OutboxLine.window)])
    }

    @Test("a clock that is set back makes no rest longer")
    func clock() {
        var line = Transcript()
        _ = line.load([entry(1), entry(2)])
        let pause = line.fail(1, .destination(retryAfter: nil))
        #expect(line.actions() == [.wait(until: line.now + pause)])
        line.now = line.now + .seconds(-7200)
        #expect(line.actions() == [.wait(until: line.now + pause)])
    }

    @Test("a long line of one key leaves room for others")
    func manyOfOneKey() {
        var line = Transcript(parallel: 2)
        let many = (1...Int64(OutboxLine.window)).map { entry($0, "a", behind: $0 > 1) }
        #expect(
            line.load(many) == [.send(1), .load(after: 128, limit: OutboxLine.window - OutboxLine.windowOfKey + 1)])
        line.line.loaded([entry(200, "b")], limit: 100, nextDue: nil)
        #expect(line.actions() == [.send(200), .wait(until: nil)])
    }
}

/// A world of entries in which the line has to bring each to its place, in order per key, however much fails.
private struct LinkWorld {
    var rows: [Int64: (key: String, attempts: Int, due: Instant)] = [:]
    var arrived: [(id: Int64, key: String)] = []
    var active: Set<Int64> = []
    var isDown = false
    var now = Instant(seconds: 1000)

    func due(after id: Int64, limit: Int) -> ([OutboxLine.Entry], Instant?) {
        let all = rows.sorted { $0.key < $1.key }
        let due = all.filter { $0.key > id && $0.value.due <= now }.prefix(limit).map { id, row in
            OutboxLine.Entry(
                id: id, key: row.key, attempts: row.attempts,
                isBehind: all.contains { $0.key < id && $0.value.key == row.key })
        }
        return (Array(due), all.map(\.value.due).filter { $0 > now }.min())
    }
}

@Suite("The line to a destination, whatever happens")
struct OutboxLinePropertyTests {
    @Test(arguments: 0..<60)
    func everythingArrivesOnceAndInOrder(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let parallel = Int.random(in: 1...4, using: &random)
        let keys = Int.random(in: 1...30, using: &random)
        var line = OutboxLine(parallel: parallel, backoff: Backoff(first: .seconds(1), ceiling: .seconds(20)))
        var world = LinkWorld()
        var next: Int64 = 1
        var load: (entries: [OutboxLine.Entry], limit: Int, nextDue: Instant?)?
        for step in 0..<3000 {
            let isCalm = step > 2000
            switch Int.random(in: 0..<(isCalm ? 4 : 8), using: &random) {
            case 0:
                // Reading takes its time: other things happen between question and answer.
                guard let answer = load else { break }
                line.loaded(answer.entries, limit: answer.limit, nextDue: answer.nextDue)
                load = nil
            case 1, 2:
                guard let id = world.active.sorted().randomElement(using: &random) else { break }
                world.active.remove(id)
                if world.isDown && !isCalm {
                    let setback = OutboxLine.Setback.destination(retryAfter: nil)
                    let pause = line.pause(after: setback, of: id, using: &random)
                    line.failed(id, setback, at: world.now, pause: pause)
                } else if !isCalm, Int.random(in: 0..<5, using: &random) == 0 {
                    let setback = OutboxLine.Setback.entry(retryAfter: nil)
                    let pause = line.pause(after: setback, of: id, using: &random)
                    let due = line.failed(id, setback, at: world.now, pause: pause)
                    world.rows[id]?.attempts += 1
                    world.rows[id]?.due = due
                } else if let row = world.rows.removeValue(forKey: id) {
                    world.arrived.append((id, row.key))
                    line.arrived(id)
                }
            case 3: world.now = world.now + .seconds(Int64.random(in: 0...(isCalm ? 30 : 5), using: &random))
            case 4: world.isDown.toggle()
            default:
                guard next <= 400 else { break }
                world.rows[next] = ("k\(Int.random(in: 0..<keys, using: &random))", 0, world.now)
                next += 1
                line.news()
            }
            perform: while load == nil {
                switch line.next(at: world.now) {
                case .load(let after, let limit):
                    let (entries, nextDue) = world.due(after: after, limit: limit)
                    load = (entries, limit, nextDue)
                case .send(let id):
                    #expect(world.rows[id] != nil && world.active.insert(id).inserted, "seed \(seed)")
                    let isAlone = world.active.count(where: { world.rows[$0]?.key == world.rows[id]?.key }) == 1
                    #expect(isAlone, "seed \(seed): two of one key")
                    #expect(world.active.count <= parallel, "seed \(seed)")
                case .wait: break perform
                // The shell begins a new line where something is left; here that is news.
                case .end:
                    if world.rows.isEmpty { break perform }
                    line.news()
                    line.retry()
                }
            }
        }
        let left = world.rows.count
        #expect(left == 0, "seed \(seed)")
        for (_, entries) in Dictionary(grouping: world.arrived, by: \.key) {
            #expect(entries.map(\.id) == entries.map(\.id).sorted(), "seed \(seed)")
        }
        #expect(Set(world.arrived.map(\.id)).count == world.arrived.count, "seed \(seed)")
    }
}
