import Foundation
import Model
import TestKit
import Testing

@testable import Sandboxes

/// What instances tell of their use.
@Suite(.timeLimit(.minutes(5)))
struct InstanceUsageTests {
    /// Also of processes that have ended, and of those whose parents have.
    @Test(arguments: await Subject.usable())
    func processorTime(_ subject: Subject) async throws {
        let work = "i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done"
        try await subject.with { bench in
            try await bench.withInstance("( (\(work)) & ); (\(work)); echo done") { _ in
            } _: { instance in
                let before = try #require(await instance.processorTime())
                let result = try await bench.run(on: instance)
                #expect(result.text == "done\n")
                let own = try #require(result.outcome.cpuTime)
                let after = try #require(await instance.processorTime())
                #expect(own > .milliseconds(20))
                // Ticks of 10 ms are rounded down for each process.
                #expect(after - before > own - .milliseconds(60), "\(before), \(after), own \(own)")
                #expect(after - before < own * 4 + .milliseconds(200), "\(before), \(after), own \(own)")
                let later = try #require(await instance.processorTime())
                #expect(later >= after)
            }
        }
    }
}
