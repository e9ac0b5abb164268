import Model
import Scheduling
import TestKit
import Testing

@Suite("A limit of bytes a second")
struct TokenBucketTests {
    private let start = Instant(seconds: 1000)

    @Test func aBurstPassesThenTheRate() {
        var bucket = TokenBucket(rate: ByteCount(1000), burst: ByteCount(500))
        #expect(bucket.take(500, at: start) == .zero)
        #expect(bucket.take(250, at: start) == .milliseconds(250))
        #expect(bucket.take(250, at: start) == .milliseconds(500))
        // The debt is paid after half a second; what comes later earns a burst at most.
        #expect(bucket.take(0, at: start + .milliseconds(500)) == .zero)
        #expect(bucket.take(500, at: start + .seconds(3600)) == .zero)
        #expect(bucket.take(1, at: start + .seconds(3600)) == .milliseconds(1))
    }

    @Test func aClockThatIsSetBackGivesNothing() {
        var bucket = TokenBucket(rate: ByteCount(1000), burst: ByteCount(1000))
        #expect(bucket.take(1000, at: start) == .zero)
        #expect(bucket.take(1000, at: start + .seconds(-3600)) == .seconds(1))
        #expect(bucket.take(0, at: start + .seconds(-3599)) == .zero)
    }

    @Test(arguments: 0..<20)
    func neverMoreThanTheRate(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let rate = Int64.random(in: 1...1_000_000, using: &random)
        var bucket = TokenBucket(rate: ByteCount(rate))
        var now = start
        var sent: Int64 = 0
        var largest: Int64 = 0
        for _ in 0..<1000 {
            let piece = Int64.random(in: 0...(rate / 5 + 1), using: &random)
            now = now + bucket.take(piece, at: now)
            sent += piece
            largest = max(largest, piece)
            let seconds = Double((now - start).components.seconds) + Double((now - start).components.attoseconds) / 1e18
            let allowed = seconds * Double(rate) + Double(bucket.burst + largest) + 2
            #expect(Double(sent) <= allowed, "seed \(seed)")
        }
    }
}
