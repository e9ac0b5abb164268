import Foundation
import Model
import Sandboxes
import Synchronization
import SystemPackage
import TestKit
import Testing

/// What every sandbox promises.
@Suite(.timeLimit(.minutes(5)))
struct SandboxContractTests {
    @Test(arguments: await Subject.usable(), [0, 1, 3, 127, 255] as [Int32])
    func exitCode(_ subject: Subject, code: Int32) async throws {
        try await subject.with { bench in
            let result = try await bench.run("exit \(code)")
            #expect(result.ending == .exited(code))
        }
    }

    @Test(arguments: await Subject.usable(), [("TERM", 15), ("KILL", 9), ("ABRT", 6)] as [(String, Int32)])
    func signal(_ subject: Subject, signal: (name: String, number: Int32)) async throws {
        try await subject.with { bench in
            let result = try await bench.run("kill -\(signal.name) $$; sleep 5")
            #expect(result.ending == .signalled(signal.number))
        }
    }

    @Test(arguments: await Subject.usable())
    func outputsAreApartAndBinary(_ subject: Subject) async throws {
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        try await subject.with { bench in
            let result = try await bench.run(
                "cat \"$INPUT_FILE_PATH\"; printf 'a\\000b\\377' >&2", inputs: ["data.bin": bytes]
            ) { $0.inputFileName = "data.bin" }
            #expect(result.standardOutput == bytes)
            #expect(result.standardError == [0x61, 0, 0x62, 0xFF])
            #expect(result.ending == .exited(0))
        }
    }

    @Test(arguments: await Subject.usable())
    func environmentAndPaths(_ subject: Subject) async throws {
        let script = """
            set -e
            cat "$INPUT_FILE_PATH"; cat "$TMP_INPUT_DIR/it's a \\"name\\" $.txt"
            printf '[%s][%s]\\n' "$PLAIN" "$QUOTED"; echo
            printf result > "$TMP_OUTPUT_DIR/r.txt"; mkdir "$TMP_OUTPUT_DIR/d"; printf 2 > "$TMP_OUTPUT_DIR/d/s.txt"
            printf x > here; printf x > "$HOME/there"; printf x > "$TMPDIR/temporary"; cat -
            """
        try await subject.with { bench in
            let name = "it's a \"name\" $.txt"
            var invocation = try bench.invocation(script, inputs: [name: Array("input;".utf8)])
            invocation.inputFileName = name
            // Some shells drop names like the third; it must do no harm.
            invocation.environment = [
                "PLAIN": "1", "QUOTED": "a 'b' \"c\" $HOME `x` \\n\nnext", "with.dots": "2", "TMP_OUTPUT_DIR": "/wrong",
            ]
            let input = bench.scratch.path.appending("stdin")
            try bench.write(Array("from stdin".utf8), input)
            invocation.standardInput = input
            let result = try await bench.run(invocation)
            #expect(
                result.text
                    == "input;input;[1][a 'b' \"c\" $HOME `x` \\n\nnext]\n\nfrom stdin",
                "\(result.errorText)"
            )
            #expect(result.ending == .exited(0))
            #expect(bench.read(invocation.outputDirectory.appending("r.txt")) == Array("result".utf8))
            #expect(bench.read(invocation.outputDirectory.pushing("d/s.txt")) == Array("2".utf8))
        }
    }

    @Test(arguments: await Subject.usable())
    func standardInputIsEmptyWithoutFile(_ subject: Subject) async throws {
        try await subject.with { bench in
            let result = try await bench.run("cat; echo end")
            #expect(result.text == "end\n")
        }
    }

    @Test(arguments: await Subject.usable())
    func nothingOfTheMachinesEnvironment(_ subject: Subject) async throws {
        try await subject.with { bench in
            let result = try await bench.run("env; cat /proc/self/environ") { $0.environment = ["MINE": "1"] }
            #expect(result.text.contains("MINE=1\n"))
            let allowed: Set = [
                "PATH", "LANG", "MINE", "PWD", "OLDPWD", "SHLVL", "_", "HOME", "TMPDIR", "TMP_INPUT_DIR",
                "TMP_OUTPUT_DIR",
                "APUS_INVOCATION", "HOSTNAME",
            ]
            let lines = result.text.split { $0 == "\n" || $0 == "\0" }
            let names = Set(lines.compactMap { $0.split(separator: "=").first.map(String.init) })
            #expect(names.subtracting(allowed) == [])
            #expect(names.isSuperset(of: ["PATH", "MINE", "HOME", "TMPDIR", "TMP_INPUT_DIR", "TMP_OUTPUT_DIR"]))
        }
    }

    @Test(arguments: await Subject.usable())
    func timeOutEndsTheWholeTree(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        let script = "setsid sleep \(seconds) & (trap '' TERM; sleep \(seconds); sleep \(seconds)) & echo on; wait"
        try await subject.with { bench in
            let result = try await bench.run(script) { invocation in
                invocation.timeout = .seconds(2)
                invocation.gracePeriod = .milliseconds(200)
            }
            #expect(result.ending == .timedOut)
            #expect(result.text == "on\n")
            #expect(processes(with: seconds) == [])
        }
    }

    @Test(arguments: await Subject.usable())
    func scriptCanEndItselfInGoodOrder(_ subject: Subject) async throws {
        let script = "trap 'echo bye; exit 7' TERM; echo on; while :; do sleep 0.05; done"
        try await subject.with { bench in
            let result = try await bench.run(script) { $0.timeout = .seconds(2) }
            #expect(result.ending == .timedOut)
            #expect(result.text == "on\nbye\n")
        }
    }

    @Test(arguments: await Subject.usable())
    func cancellationEndsTheWholeTree(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        try await subject.with { bench in
            var invocation = try bench.invocation("setsid sleep \(seconds) & echo on; sleep \(seconds)")
            invocation.gracePeriod = .milliseconds(100)
            let (begun, begin) = AsyncStream.makeStream(of: Void.self)
            let task = Task { [invocation, sandbox = bench.sandbox] in
                try await sandbox.run(invocation) { _ in begin.yield() }
            }
            _ = await begun.first { _ in true }
            try await eventually("the script's children run") { processes(with: seconds) != [] }
            task.cancel()
            let error = await #expect(throws: SandboxError.self) { _ = try await task.value }
            #expect(error?.code == .cancelled)
            #expect(processes(with: seconds) == [])
        }
    }

    @Test(arguments: await Subject.usable())
    func cancellationBeforeTheStart(_ subject: Subject) async throws {
        try await subject.with { bench in
            var invocation = try bench.invocation("sleep 60")
            invocation.gracePeriod = .seconds(1)
            let task = Task { [invocation, sandbox = bench.sandbox] in
                withUnsafeCurrentTask { $0?.cancel() }
                return try await sandbox.run(invocation) { _ in }
            }
            let error = await #expect(throws: SandboxError.self) { _ = try await task.value }
            #expect(error?.code == .cancelled)
        }
    }

    @Test(arguments: await Subject.usable())
    func childrenThatOutliveTheScriptAreEnded(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        try await subject.with { bench in
            // One holds the pipes open, one writes without end, one has left the session.
            let script =
                "sleep \(seconds) & (while :; do echo y\(seconds); done) & setsid sleep \(seconds) & echo on; exit 4"
            let result = try await bench.run(script)
            #expect(result.ending == .exited(4))
            #expect(result.text.contains("on\n"))
            #expect(processes(with: seconds) == [])
        }
    }

    @Test(arguments: await Subject.usable())
    func scriptThatClosesItsOutputIsAwaited(_ subject: Subject) async throws {
        try await subject.with { bench in
            var invocation = try bench.invocation("exec >&- 2>&-; sleep 0.3; echo x > \"$TMP_OUTPUT_DIR/late\"; exit 5")
            invocation.timeout = .seconds(30)
            let result = try await bench.run(invocation)
            #expect(result.ending == .exited(5))
            #expect(bench.read(invocation.outputDirectory.appending("late")) == Array("x\n".utf8))
        }
    }

    @Test(arguments: await Subject.limited())
    func memoryLimit(_ subject: Subject) async throws {
        try await subject.with { bench in
            let result = try await bench.run("x=$(head -c 100000000 /dev/zero | tr '\\0' a); echo survived; exit 1") {
                $0.memory = .mebibytes(32)
            }
            #expect(result.ending == .outOfMemory, "\(result.errorText)")
            #expect(!result.text.contains("survived") || result.ending == .outOfMemory)
        }
    }

    @Test(arguments: await Subject.limited())
    func useIsMeasured(_ subject: Subject) async throws {
        try await subject.with { bench in
            let result = try await bench.run("i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done") {
                $0.memory = .mebibytes(256)
                $0.cpu = MilliCPU(1000)
            }
            #expect(result.ending == .exited(0))
            #expect(result.outcome.cpuTime ?? .zero > .milliseconds(10))
            #expect(result.outcome.peakMemory ?? .zero > .zero)
            #expect(result.outcome.peakMemory ?? .zero <= .mebibytes(256))
        }
    }

    /// Memory is bounded because a script that nobody listens to stops: it is never further ahead than pipe and piece.
    @Test(arguments: await Subject.usable())
    func muchOutputWaitsForItsTaker(_ subject: Subject) async throws {
        try await subject.with { bench in
            let invocation = try bench.invocation(
                """
                i=0
                while [ $i -lt 50 ]; do head -c 1048576 /dev/zero; i=$((i + 1)); echo $i > "$TMP_OUTPUT_DIR/written"; done
                echo end >&2
                """
            )
            let written = invocation.outputDirectory.appending("written").string
            let seen = Mutex((total: 0, largest: 0, furthestAhead: 0))
            let outcome = try await bench.sandbox.run(invocation) { piece in
                guard piece.stream == .standardOutput else { return }
                let text = try? String(contentsOfFile: written, encoding: .utf8)
                let mebibytes = Int(text?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "") ?? 0
                seen.withLock { seen in
                    seen.furthestAhead = max(seen.furthestAhead, (mebibytes << 20) - seen.total)
                    seen.total += piece.bytes.count
                    seen.largest = max(seen.largest, piece.bytes.count)
                }
            }
            #expect(outcome.ending == .exited(0))
            seen.withLock { seen in
                #expect(seen.total == 52_428_800)
                #expect(seen.largest <= 1 << 20)
                #expect(seen.furthestAhead <= 2 << 20)
            }
        }
    }

    @Test(
        arguments: await Subject.usable(),
        [
            "", "\n\n", "# only a comment", "echo 'unclosed", "echo tab\there; exit 3\n", "\u{FEFF}echo bom",
            "printf '%s' \"$(printf 'ä€😀')\"; exit 3", "exit 3 # no newline at the end",
        ]
    )
    func oddScripts(_ subject: Subject, script: String) async throws {
        try await subject.with { bench in
            let result = try await bench.run(script)
            if script.contains("exit 3") { #expect(result.ending == .exited(3)) }
            guard case .exited = result.ending else {
                Issue.record("\(result.ending)")
                return
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func manyAtOnce(_ subject: Subject) async throws {
        try await subject.with { bench in
            let endings = try await withThrowingTaskGroup(of: (Int32, SandboxOutcome.Ending, String).self) { group in
                for number in 0..<24 as Range<Int32> {
                    group.addTask {
                        let result = try await bench.run("echo \(number); exit \(number)")
                        return (number, result.ending, result.text)
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(endings.count == 24)
            for (number, ending, text) in endings {
                #expect(ending == .exited(number))
                #expect(text == "\(number)\n")
            }
        }
    }

    @Test(
        arguments: await Subject.usable(),
        [
            { @Sendable in $0.id = "" }, { $0.id = "a/b" }, { $0.id = ".." }, { $0.id = "x'; reboot" },
            { $0.inputFileName = "../x" }, { $0.inputFileName = "" }, { $0.environment = ["A=B": "1"] },
            { $0.environment = ["": "1"] }, { $0.environment = ["A": "\0"] },
            { $0.environment = ["A": String(repeating: "x", count: 131_071)] }, { $0.workDirectory = "relative" },
        ] as [@Sendable (inout SandboxInvocation) -> Void]
    )
    func impossibleInvocations(_ subject: Subject, change: @Sendable (inout SandboxInvocation) -> Void) async throws {
        try await subject.with { bench in
            let error = await #expect(throws: SandboxError.self) {
                _ = try await bench.run("true", change: change)
            }
            #expect(error?.code == .invalid)
            #expect(error?.message.isEmpty == false)
        }
    }
}
