import Model
import TestKit
import Testing

@testable import Identity

@Suite struct LoginLimiterTests {
    private let start = Instant(seconds: 1_000)

    private func attempt(_ address: String = "192.0.2.1", _ name: String = "ada", _ proof: String = "x")
        -> LoginLimiter.Attempt
    {
        LoginLimiter.Attempt(address: address, name: name, proof: proof)
    }

    @Test func anAddressMayFailTenTimesAndThenOnceEachSixSeconds() {
        var limiter = LoginLimiter()
        for number in 0..<10 {
            #expect(limiter.wait(attempt("192.0.2.1", "name-\(number)"), at: start) == .zero)
            limiter.failed(attempt("192.0.2.1", "name-\(number)"), at: start)
        }
        #expect(limiter.wait(attempt(), at: start) == .seconds(6))
        #expect(limiter.wait(attempt("192.0.2.2"), at: start) == .zero)
        #expect(limiter.wait(attempt(), at: start + .seconds(4)) == .seconds(2))
        #expect(limiter.wait(attempt(), at: start + .seconds(6)) == .zero)
        limiter.failed(attempt(), at: start + .seconds(6))
        #expect(limiter.wait(attempt(), at: start + .seconds(6)) == .seconds(6))
    }

    @Test func aNameMayFailThirtyTimesFromEverywhere() {
        var limiter = LoginLimiter()
        for number in 0..<30 { limiter.failed(attempt("192.0.2.\(number)"), at: start) }
        #expect(limiter.wait(attempt("198.51.100.1"), at: start) == .seconds(2))
        #expect(limiter.wait(attempt("198.51.100.1", "bob"), at: start) == .zero)
    }

    @Test func whatHasWorkedGoesOnToWork() {
        var limiter = LoginLimiter()
        let good = attempt("192.0.2.1", "ada", "right")
        limiter.succeeded(good, at: start)
        for _ in 0..<100 { limiter.failed(attempt(), at: start) }
        #expect(limiter.wait(attempt(), at: start) > .zero)
        #expect(limiter.wait(good, at: start) == .zero)
        // From elsewhere, or as somebody else, it proves nothing.
        #expect(limiter.wait(attempt("192.0.2.9", "ada", "right"), at: start) > .zero)
        #expect(limiter.wait(attempt("192.0.2.1", "bob", "right"), at: start) > .zero)
    }

    @Test func successForgetsTheFailuresOfAddressAndName() {
        var limiter = LoginLimiter()
        for _ in 0..<10 { limiter.failed(attempt(), at: start) }
        #expect(!limiter.isIdle)
        limiter.succeeded(attempt(), at: start)
        #expect(limiter.isIdle)
        #expect(limiter.wait(attempt(), at: start) == .zero)
    }

    @Test func anotherNamesFailuresStay() {
        var limiter = LoginLimiter()
        for number in 0..<30 { limiter.failed(attempt("192.0.2.\(number)"), at: start) }
        // Who has an account cannot clear the way to another one.
        limiter.succeeded(attempt("192.0.2.1", "eve"), at: start)
        #expect(limiter.wait(attempt("192.0.2.1"), at: start) > .zero)
    }

    @Test func oneCustomerOfIPv6IsOneAddress() {
        var limiter = LoginLimiter()
        for number in 0..<10 { limiter.failed(attempt("2001:db8:1:2:\(number)::1", "n\(number)"), at: start) }
        #expect(limiter.wait(attempt("2001:db8:1:2:ffff::9", "z"), at: start) > .zero)
        #expect(limiter.wait(attempt("2001:db8:1:3::1", "z"), at: start) == .zero)
        #expect(LoginLimiter.Attempt(address: "::ffff:192.0.2.1", name: "", proof: "").address == "::ffff:192.0.2.1")
    }

    @Test func memoryIsBoundedAndTimeMakesRoom() {
        var limiter = LoginLimiter()
        var generator = SeededGenerator(seed: 3)
        for number in 0..<20_000 {
            let now = start + .milliseconds(Int64(number))
            let one = attempt("a\(Int.random(in: 0..<100_000, using: &generator))", "n\(number)", "p\(number)")
            limiter.failed(one, at: now)
            limiter.succeeded(attempt("b\(number)", "m\(number)"), at: now)
            #expect(limiter.counts.addresses <= 4_096 && limiter.counts.names <= 4_096 && limiter.counts.good <= 1_024)
        }
    }
}
