import Scheduling
import TestKit
import Testing

@Suite struct BackoffTests {
    @Test(arguments: [
        (0, Duration.milliseconds(500)), (1, .milliseconds(500)), (2, .seconds(1)), (3, .seconds(2)), (8, .seconds(60)),
        (1000, .seconds(60)), (Int.max, .seconds(60)),
    ])
    func doublesUpToTheCeiling(attempt: Int, limit: Duration) {
        #expect(Backoff().limit(afterAttempt: attempt) == limit)
    }

    @Test func staysBetweenHalfAndWhole() {
        var random = SeededGenerator(seed: 7)
        for attempt in 1..<40 {
            let limit = Backoff().limit(afterAttempt: attempt)
            let delay = Backoff().delay(afterAttempt: attempt, using: &random)
            #expect(delay >= limit * 0.5 && delay <= limit)
        }
    }
}
