import Foundation
import Model
import NIOCore
import NIOPosix
import Sandboxes
import Subprocess
import Synchronization
import SystemPackage
import Testing

/// What warm invocations cost, printed; only where `APUS_MEASURE` asks for it.
@Suite(.enabled(if: ProcessInfo.processInfo.environment["APUS_MEASURE"] != nil), .serialized)
struct InstanceMeasurement {
    private func time(_ name: String, _ count: Int, _ body: () async throws -> Void) async rethrows {
        var times: [Duration] = []
        for _ in 0..<count {
            let start = ContinuousClock.now
            try await body()
            times.append(ContinuousClock.now - start)
        }
        times.sort()
        func microseconds(_ share: Double) -> Int64 {
            let time = times[Int(Double(count - 1) * share)]
            return time.components.seconds * 1_000_000 + time.components.attoseconds / 1_000_000_000_000
        }
        print("measured: \(name): p50 \(microseconds(0.5)) µs, p99 \(microseconds(0.99)) µs")
    }

    @Test
    func floor() async {
        await time("posix_spawn and wait of sh -c true", 1000) {
            var process: pid_t = 0
            let words: [String] = ["/bin/sh", "-c", "true"]
            var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) }
            arguments.append(nil)
            defer { for argument in arguments { free(argument) } }
            posix_spawn(&process, "/bin/sh", nil, nil, &arguments, nil)
            var status: Int32 = 0
            waitpid(process, &status, 0)
        }
    }

    @Test(arguments: await Subject.usable())
    func script(_ subject: Subject) async throws {
        try await subject.with { bench in
            let invocation = try bench.invocation("true")
            try await time("\(subject), cold script", 20) { _ = try await bench.sandbox.run(invocation) { _ in } }
            try await time("\(subject), start and stop of an instance", 10) {
                try await bench.withInstance("true") { _ in }
            }
            try await bench.withInstance("true") { instance in
                try await time("\(subject), warm script", 1000) { _ = try await instance.run(invocation) { _ in } }
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func resident(_ subject: Subject) async throws {
        // The answer that costs the program the least.
        let program = """
            while IFS= read -r line; do
                id=${line#*:\\"}; echo "{\\"id\\":\\"${id%%\\"*}\\",\\"ok\\":true,\\"result\\":\\"x\\"}"
            done
            """
        try await subject.with { bench in
            try await bench.withInstance(program) {
                $0.mode = .resident
            } _: { instance in
                let body = ByteBuffer(repeating: 65, count: 1024)
                try await time("\(subject), resident call of 1 KiB", 5000) {
                    let promise = instance.eventLoop.makePromise(of: ResidentAnswer.self)
                    instance.call(body, timeout: .seconds(10), promise: promise)
                    _ = try await promise.futureResult.get()
                }
                let invocation = try bench.invocation("")
                try await time("\(subject), resident run with directories", 1000) {
                    _ = try await instance.run(invocation) { _ in }
                }
                let count = 20_000
                let start = ContinuousClock.now
                try await chain(instance, body, count).get()
                let took = ContinuousClock.now - start
                print("measured: \(subject), resident calls one after another on the event loop: \(took / count) each")
            }
        }
    }

    private func chain(_ instance: SandboxInstance, _ body: ByteBuffer, _ count: Int) -> EventLoopFuture<Void> {
        let done = instance.eventLoop.makePromise(of: Void.self)
        @Sendable func next(_ rest: Int) {
            guard rest > 0 else { return done.succeed(()) }
            let promise = instance.eventLoop.makePromise(of: ResidentAnswer.self)
            promise.futureResult.whenComplete { result in
                if case .failure(let error) = result { done.fail(error) } else { next(rest - 1) }
            }
            instance.call(body, timeout: .seconds(10), promise: promise)
        }
        instance.eventLoop.execute { next(count) }
        return done.futureResult
    }

    @Test(arguments: [Subject.process, .container])
    func nothingGrows(_ subject: Subject) async throws {
        try await subject.with { bench in
            func descriptors() -> Int {
                (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
            }
            func memory() -> Int {
                let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
                return (Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0) * 4
            }
            try await bench.withInstance("echo a; echo b >&2; sleep 100 &") { instance in
                let invocation = try bench.invocation("")
                for _ in 0..<100 { _ = try await instance.run(invocation) { _ in } }
                let before = (descriptors(), memory())
                for _ in 0..<1000 { _ = try await instance.run(invocation) { _ in } }
                print(
                    "measured: \(subject), 1,000 scripts: descriptors and KiB \(before) → \((descriptors(), memory()))")
                #expect(descriptors() <= before.0 + 2)
            }
            try await bench.withInstance("true") { _ in }
            let before = descriptors()
            for _ in 0..<20 { try await bench.withInstance("true") { _ in } }
            print("measured: \(subject), 20 instances: descriptors \(before) → \(descriptors())")
            #expect(descriptors() <= before + 4)
        }
    }
}
