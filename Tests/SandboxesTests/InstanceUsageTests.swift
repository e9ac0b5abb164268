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

    /// Each call has its own numbers, though they share a program.
    @Test(arguments: await Subject.usable())
    func residentCalls(_ subject: Subject) async throws {
        // The first call takes 64 MiB for a moment and works; the second one does neither.
        let program = """
            while read line; do
                id=${line#*'"id":"'}; id=${id%%'"'*}
                if [ -z "$seen" ]; then
                    seen=yes; i=0; while [ $i -lt 200000 ]; do i=$((i + 1)); done
                    head -c 67108864 /dev/zero | tail -n 1 | wc -c >&2
                fi
                echo "{\\"id\\":\\"$id\\",\\"ok\\":true,\\"result\\":\\"x\\"}"
            done
            """
        try await subject.with { bench in
            try await bench.withInstance(program) {
                $0.mode = .resident
            } _: { instance in
                let first = try await bench.run(on: instance).outcome
                let second = try await bench.run(on: instance).outcome
                let (long, short) = (try #require(first.cpuTime), try #require(second.cpuTime))
                #expect(long > .milliseconds(30) && short < long, "\(long), \(short)")
                #expect(try #require(second.peakMemory) < .mebibytes(60))
                #expect(try #require(first.peakMemory) > .zero)
            }
        }
    }

    /// Where several are under way nothing is claimed.
    @Test func callsAtOnce() async throws {
        try await Subject.process.with { bench in
            let program =
                "while read line; do id=${line#*'\"id\":\"'}; id=${id%%'\"'*}; "
                + "echo \"{\\\"id\\\":\\\"$id\\\",\\\"ok\\\":true,\\\"result\\\":\\\"x\\\"}\"; done"
            try await bench.withInstance(program) {
                ($0.mode, $0.concurrency) = (.resident, 2)
            } _: { instance in
                let outcome = try await bench.run(on: instance).outcome
                #expect(outcome.cpuTime == nil && outcome.peakMemory == nil)
            }
        }
    }
}
