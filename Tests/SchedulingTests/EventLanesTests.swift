import Model
import Scheduling
import TestKit
import Testing

@Suite struct EventLanesTests {
    private static func buckets(_ text: String) throws -> [BucketName] {
        try text.map { try BucketName("bucket-\($0)") }
    }

    @Test func looksAheadOnlyInAFlood() throws {
        var lanes = EventLanes(batches: 2, reach: 100, limit: 4)
        let (flood, later) = (try Self.buckets("aaaa"), try Self.buckets("cccc"))
        var looks: [EventLanes.Look?] = []
        looks.append(lanes.routed(flood, through: 4, moreWait: false))
        looks.append(lanes.routed(flood, through: 8, moreWait: true))
        looks.append(lanes.routed(flood, through: 12, moreWait: true))
        lanes.found(try Self.buckets("b"), through: 111)
        looks.append(lanes.routed(flood, through: 16, moreWait: true))
        looks.append(lanes.routed(flood, through: 20, moreWait: true))
        // The line is short again: a later flood begins anew.
        looks.append(lanes.routed(flood, through: 24, moreWait: false))
        looks.append(lanes.routed(later, through: 28, moreWait: true))
        looks.append(lanes.routed(later, through: 32, moreWait: true))
        #expect(looks.map { $0?.after } == [nil, nil, 12, nil, 111, nil, nil, 111])
        #expect(looks[2]?.besides == Set(flood).sorted() && looks[7]?.besides == Set(later).sorted())
        #expect(looks[2]?.reach == 100 && looks[2]?.limit == 4)
    }

    @Test func aLookThatDoesNotReachTheEndIsGoneOnWithSoon() throws {
        var lanes = EventLanes(batches: 3, reach: 100, limit: 4)
        let flood = try Self.buckets("aaaa")
        for end in [4, 8] as [Int64] { _ = lanes.routed(flood, through: end, moreWait: true) }
        var looks = [lanes.routed(flood, through: 12, moreWait: true)?.after]
        lanes.found([], through: 112)
        looks.append(lanes.routed(flood, through: 16, moreWait: true)?.after)
        lanes.found([], through: 150)
        looks.append(lanes.routed(flood, through: 20, moreWait: true)?.after)
        #expect(looks == [12, 112, nil])
    }

    @Test func aFloodBehindTheFloodIsPassedToo() throws {
        var lanes = EventLanes(batches: 1, reach: 100, limit: 4)
        _ = lanes.routed(try Self.buckets("aaab"), through: 4, moreWait: true)
        lanes.found(try Self.buckets("cccc"), through: 50)
        // It looks on after the next batch, wherever it is.
        let look = lanes.routed(try Self.buckets("aaaa"), through: 8, moreWait: true)
        let all = try Self.buckets("abc")
        #expect(look?.after == 50 && look?.besides == all)
    }

    /// In a line of random floods, every event of a bucket that is no flood is seen by the order or by a look, and by no
    /// more looks than reach and order need.
    @Test(arguments: 0..<40 as Range<UInt64>) func findsWhatIsBehind(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let names = try Self.buckets("abcdefgh")
        var line: [BucketName] = []
        while line.count < 4000 {
            let flood = names[Int.random(in: 0..<4, using: &random)]
            line += Array(repeating: flood, count: Int.random(in: 1...800, using: &random))
            if Bool.random(using: &random) { line.append(names[Int.random(in: 4..<8, using: &random)]) }
        }
        var lanes = EventLanes(batches: 2, reach: 1000, limit: 16)
        var early: Set<Int> = []
        var position = 0
        var lookCount = 0
        while position < line.count / 2 {
            let batch = line[position..<min(line.count, position + 16)]
            position += batch.count
            guard let look = lanes.routed(Array(batch), through: Int64(position), moreWait: true) else { continue }
            lookCount += 1
            let end = min(line.count, Int(look.after + look.reach))
            let found = (Int(look.after)..<end).filter { !look.besides.contains(line[$0]) }.prefix(look.limit)
            early.formUnion(found)
            lanes.found(
                found.map { line[$0] }, through: Int64(found.count < look.limit ? end : (found.last ?? end - 1) + 1))
        }
        let calm = line.indices.filter { $0 >= position && Set(names[4...]).contains(line[$0]) }
        let missed = calm.filter { !early.contains($0) }
        #expect(missed.isEmpty, "seed \(seed): \(missed.count) of \(calm.count) missed in \(lookCount) looks")
    }
}
