import Foundation
import Model
import Sandboxes
import Synchronization
import Testing

@Test(.enabled(if: ProcessInfo.processInfo.environment["MEASURE"] != nil)) func measure() async throws {
    for subject in [Subject.process, .processWithoutControlGroups] {
        try await subject.with { bench in
            let invocations = try (0..<400).map { _ in
                var i = try bench.invocation("true"); i.memory = .mebibytes(256); i.cpu = MilliCPU(1000); return i }
            let clock = ContinuousClock()
            var times: [Duration] = []
            let all = try await clock.measure {
                for i in invocations.prefix(200) {
                    times.append(try await clock.measure { _ = try await bench.sandbox.run(i) { _ in } })
                }
            }
            times.sort()
            print(subject, "sequential", 200 / (all / .seconds(1)), "p50", times[100], "p99", times[198])
            let four = try await clock.measure {
                try await withThrowingTaskGroup(of: Void.self) { group in
                    for lane in 0..<4 {
                        group.addTask {
                            for i in invocations[(200 + lane * 50)..<(250 + lane * 50)] { _ = try await bench.sandbox.run(i) { _ in } }
                        }
                    }
                    try await group.waitForAll()
                }
            }
            print(subject, "four", 200 / (four / .seconds(1)))
            for gap in [20, 300] {
                var starts: [Double] = []
                for _ in 0..<15 {
                    try await Task.sleep(for: .milliseconds(gap))
                    let i = try bench.invocation("read a b < /proc/uptime; date +%s%N")
                    let t = Date().timeIntervalSince1970
                    let r = try await bench.run(i)
                    starts.append((Double(r.text.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0) / 1e6 - t * 1000)
                }
                starts.sort()
                print(subject, "gap", gap, "ms to script's date: p50", starts[7], "max", starts[14])
            }
        }
    }
}
