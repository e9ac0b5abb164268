import Foundation
import Model
import NIOCore
import NIOPosix
import SystemPackage
import TestKit
import Testing

@testable import Sandboxes

/// What small executions of a script promise, in every sandbox: the same as others, without a folder of their own.
@Suite(.timeLimit(.minutes(5)))
struct SmallScriptTests {
    /// Does what its input says.
    private static let any = ". \"$INPUT_FILE_PATH\""

    private func begin(_ instance: SandboxInstance, _ body: String, timeout: Duration? = nil) -> (
        answer: EventLoopFuture<ScriptAnswer>, cancel: @Sendable () -> Void
    ) {
        let promise = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: ScriptAnswer.self)
        let cancel = instance.execute(ByteBuffer(string: body), name: "run-1", timeout: timeout, promise: promise)
        return (promise.futureResult, cancel)
    }

    /// The answer; where no place is ready yet, the question is asked again.
    private func answer(_ instance: SandboxInstance, _ body: String, timeout: Duration? = nil) async throws
        -> ScriptAnswer
    {
        try await eventually("a place is ready") {
            do { return try await begin(instance, body, timeout: timeout).answer.get() } catch let error as SandboxError
                where error.code == .invalid
            { return nil }
        }
    }

    private func waitUntilReady(_ instance: SandboxInstance) async throws {
        let (scripts, loop) = (try #require(instance.scripts), instance.eventLoop)
        try await eventually("a place is ready") { try await loop.submit { scripts.value.isReady }.get() }
    }

    private func end(_ instance: SandboxInstance, _ body: String, timeout: Duration? = nil) async throws -> ScriptEnd {
        guard case .ended(let end) = try await answer(instance, body, timeout: timeout) else {
            throw SandboxError(.invalid, "it flows")
        }
        return end
    }

    @Test(arguments: await Subject.usable())
    func oneAfterAnother(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.any, change: { $0.environment = ["MINE": "a 'b'\n$c"] }) { instance in
                var names: Set<String> = []
                for number in [0, 1, 3, 127, 255] as [Int32] {
                    let script = """
                        printf '%s|%s|' "$MINE" "$JOB_UUID"; basename "$INPUT_FILE_PATH"; echo log >&2
                        [ "$(dirname "$INPUT_FILE_PATH")" = "$TMP_INPUT_DIR" ] || exit 99
                        [ "$(ls -A "$TMP_INPUT_DIR" | wc -l)" = 1 ] && [ -z "$(ls -A "$TMP_OUTPUT_DIR")" ] || exit 98
                        touch "$TMP_INPUT_DIR/left" "$TMP_INPUT_DIR/.left"; exit \(number)
                        """
                    let end = try await end(instance, script)
                    #expect(end.ending == .exited(number))
                    let parts = String(buffer: end.output).split(separator: "|")
                    try #require(parts.count == 3)
                    #expect(parts[0] == "a 'b'\n$c" && parts[1] == "run-1")
                    #expect(parts[2].hasPrefix("event-file-"))
                    names.insert(String(parts[2]))
                    #expect(String(buffer: end.error) == "log\n")
                    #expect(end.files == nil)
                }
                #expect(names.count == 5)
                // The other way goes on working beside.
                let result = try await bench.run(on: instance, inputs: ["a": Array("echo long".utf8)]) {
                    $0.inputFileName = "a"
                }
                #expect(result.text == "long\n")
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func filesThatAreLeft(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.any) { instance in
                for number in 1...4 {
                    let script = "mkdir \"$TMP_OUTPUT_DIR/d\"; printf \(number) > \"$TMP_OUTPUT_DIR/d/f\"; echo said"
                    let end = try await end(instance, script)
                    let files = try #require(end.files)
                    #expect(bench.read(files.appending("d").appending("f")) == Array("\(number)".utf8))
                    #expect(String(buffer: end.output) == "said\n")
                }
            }
        }
    }

    @Test(
        arguments: await Subject.usable(),
        [
            "rm -rf \"$TMP_INPUT_DIR\" \"$TMP_OUTPUT_DIR\"",
            "rm -rf \"$TMP_OUTPUT_DIR\"; ln -s /etc \"$TMP_OUTPUT_DIR\"",
            "rm -rf \"$TMP_INPUT_DIR\"; ln -s /etc \"$TMP_INPUT_DIR\"; rmdir \"$TMP_OUTPUT_DIR\"; touch \"$TMP_OUTPUT_DIR\"",
        ])
    func directoriesThatAreNone(_ subject: Subject, script: String) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.any) { instance in
                for _ in 1...5 {
                    let end = try await end(instance, script)
                    #expect(end.ending == .exited(0))
                    #expect(end.files == nil)
                    #expect(FileManager.default.fileExists(atPath: "/etc/passwd"))
                }
                #expect(String(buffer: try await self.end(instance, "echo fine").output) == "fine\n")
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func timeOutAndCancellation(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        let script = "setsid sleep \(seconds) & echo on; sleep \(seconds)"
        try await subject.with { bench in
            try await bench.withInstance(Self.any, change: { $0.gracePeriod = .milliseconds(100) }) { instance in
                let late = try await end(instance, script, timeout: .milliseconds(300))
                #expect(late.ending == .timedOut)
                #expect(String(buffer: late.output) == "on\n")
                #expect(processes(with: seconds) == [])
                try await waitUntilReady(instance)
                let run = begin(instance, script)
                try await eventually("the script's children run") { processes(with: seconds) != [] }
                run.cancel()
                guard case .ended(let end) = try await run.answer.get() else {
                    Issue.record("it flows")
                    return
                }
                #expect(end.ending != .exited(0))
                #expect(processes(with: seconds) == [])
                #expect(String(buffer: try await self.end(instance, "echo fine").output) == "fine\n")
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func muchOutputIsTakenPieceByPiece(_ subject: Subject) async throws {
        let script = "head -c 5000000 /dev/zero; echo said >&2; printf x > \"$TMP_OUTPUT_DIR/f\"; exit 3"
        try await subject.with { bench in
            try await bench.withInstance(Self.any) { instance in
                for _ in 1...3 {
                    guard case .flowing(let flow) = try await answer(instance, script) else {
                        Issue.record("all of it was collected")
                        return
                    }
                    let collected = Collected()
                    let end = try await flow.finish { collected.add($0) }
                    #expect(end.ending == .exited(3))
                    #expect(collected.bytes(.standardOutput).count == 5_000_000)
                    #expect(collected.text(.standardError) == "said\n")
                    #expect(bench.read(try #require(end.files).appending("f")) == [UInt8(ascii: "x")])
                }
                // What stands at the limit comes either way, and whole.
                for count in [262_143, 262_144, 262_145, 300_000] {
                    let collected = Collected()
                    switch try await answer(instance, "head -c \(count) /dev/zero") {
                    case .ended(let end): #expect(end.output.readableBytes == count)
                    case .flowing(let flow):
                        _ = try await flow.finish { collected.add($0) }
                        #expect(collected.bytes(.standardOutput).count == count)
                    }
                }
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func lossOfTheInstance(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        try await subject.with { bench in
            try await bench.withInstance(Self.any) { instance in
                try await waitUntilReady(instance)
                let run = begin(instance, "sleep \(seconds)")
                try await eventually("the script runs") { processes(with: seconds) != [] }
                await instance.stop()
                // Its end may still be told, or not.
                do {
                    guard case .ended(let end) = try await run.answer.get() else {
                        Issue.record("it flows")
                        return
                    }
                    #expect(end.ending != .exited(0))
                } catch let error as SandboxError {
                    #expect(error.code == .instanceLost)
                }
                let late = await #expect(throws: SandboxError.self) { _ = try await begin(instance, "").answer.get() }
                #expect(late != nil)
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func manyLeaveNothing(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.any) { instance in
                for number in 1...60 {
                    #expect(String(buffer: try await end(instance, "echo \(number)").output) == "\(number)\n")
                }
                let outside = instance.view.callExchange.outside
                try await eventually("what was used is gone") {
                    SystemFiles.names(in: outside).count { $0.hasPrefix("run-") } <= 4
                }
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func aPlaceThatIsClearedAwayIsWaitedFor(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.any) { instance in
                // Each asks right after the answer to the last; what is made, removed and moved keeps places busy for a while.
                for number in 1...30 {
                    let script = "touch \"$TMP_INPUT_DIR/left\"; mkdir \"$TMP_OUTPUT_DIR/d\"; echo \(number)"
                    guard case .ended(let end) = try await begin(instance, script).answer.get() else {
                        Issue.record("it flows")
                        return
                    }
                    #expect(String(buffer: end.output) == "\(number)\n")
                }
            }
        }
    }

    @Test func otherModesExecuteNothing() async throws {
        try await Subject.process.with { bench in
            try await bench.withInstance("exec cat", change: { $0.mode = .resident }) { instance in
                let error = await #expect(throws: SandboxError.self) { _ = try await begin(instance, "").answer.get() }
                #expect(error?.code == .invalid)
            }
        }
    }
}
