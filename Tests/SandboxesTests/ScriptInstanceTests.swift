import Foundation
import Model
import Sandboxes
import Synchronization
import SystemPackage
import TestKit
import Testing

/// What instances in script mode promise, in every sandbox.
@Suite(.timeLimit(.minutes(5)))
struct ScriptInstanceTests {
    /// Runs the text of the invocation's variable `DO`.
    static let any = "eval \"$DO\""

    @Test(arguments: await Subject.usable())
    func invocationsOneAfterAnother(_ subject: Subject) async throws {
        let script = """
            cat "$INPUT_FILE_PATH"; printf '[%s]' "$NUMBER"; echo "log $NUMBER" >&2
            printf "$NUMBER" > "$TMP_OUTPUT_DIR/result"; exit "$NUMBER"
            """
        try await subject.with { bench in
            try await bench.withInstance(script) { instance in
                for number in [0, 1, 3, 127, 255] as [Int32] {
                    var output = FilePath()
                    let result = try await bench.run(on: instance, inputs: ["in.txt": Array("file;".utf8)]) {
                        invocation in
                        invocation.inputFileName = "in.txt"
                        invocation.environment = ["NUMBER": "\(number)"]
                        output = invocation.outputDirectory
                    }
                    #expect(result.ending == .exited(number))
                    #expect(result.text == "file;[\(number)]")
                    #expect(result.errorText == "log \(number)\n")
                    #expect(bench.read(output.appending("result")) == Array("\(number)".utf8))
                    #expect(result.outcome.cpuTime ?? .zero > .zero)
                    #expect(result.outcome.peakMemory ?? .zero > .zero)
                }
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func environmentAndStandardInput(_ subject: Subject) async throws {
        let script = """
            set -e
            cat "$TMP_INPUT_DIR/it's a \\"name\\" $.txt"; printf '[%s][%s]\\n' "$PLAIN" "$QUOTED"
            mkdir "$TMP_OUTPUT_DIR/d"; printf 2 > "$TMP_OUTPUT_DIR/d/s.txt"
            printf x > here; printf x > "$HOME/there"; printf x > "$TMPDIR/temporary"; cat -
            """
        try await subject.with { bench in
            try await bench.withInstance(script) { instance in
                let name = "it's a \"name\" $.txt"
                let input = bench.scratch.path.appending("stdin")
                try bench.write(Array("from stdin".utf8), input)
                var directory = FilePath()
                let result = try await bench.run(on: instance, inputs: [name: Array("input;".utf8)]) { invocation in
                    invocation.environment = [
                        "PLAIN": "1", "QUOTED": "a 'b' \"c\" $HOME `x` \\n\nnext", "with.dots": "2",
                        "TMP_OUTPUT_DIR": "/wrong",
                    ]
                    invocation.standardInput = input
                    directory = invocation.outputDirectory
                }
                #expect(
                    result.text == "input;[1][a 'b' \"c\" $HOME `x` \\n\nnext]\nfrom stdin", "\(result.errorText)")
                #expect(result.ending == .exited(0))
                #expect(bench.read(directory.pushing("d/s.txt")) == Array("2".utf8))
                let second = try await bench.run(on: instance, inputs: [name: []])
                #expect(second.text == "[][]\n")
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func nothingOfTheMachinesEnvironment(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance("env; cat /proc/self/environ") { instance in
                let result = try await bench.run(on: instance) { $0.environment = ["MINE": "1"] }
                let allowed: Set = [
                    "PATH", "LANG", "MINE", "PWD", "OLDPWD", "SHLVL", "_", "HOME", "TMPDIR", "TMP_INPUT_DIR",
                    "TMP_OUTPUT_DIR", "APUS_INVOCATION",
                ]
                let lines = result.text.split { $0 == "\n" || $0 == "\0" }
                let names = Set(lines.compactMap { $0.split(separator: "=").first.map(String.init) })
                #expect(names.subtracting(allowed) == [])
                #expect(names.isSuperset(of: ["PATH", "MINE", "HOME", "TMPDIR", "TMP_INPUT_DIR", "TMP_OUTPUT_DIR"]))
            }
        }
    }

    @Test(arguments: await Subject.usable(), [("TERM", 15), ("KILL", 9), ("ABRT", 6)] as [(String, Int32)])
    func signal(_ subject: Subject, signal: (name: String, number: Int32)) async throws {
        try await subject.with { bench in
            try await bench.withInstance("kill -\(signal.name) $$; sleep 5") { instance in
                let result = try await bench.run(on: instance)
                #expect(result.ending == .signalled(signal.number))
            }
        }
    }

    /// The script's own files stay, its processes do not.
    @Test(arguments: await Subject.usable())
    func whatOneInvocationLeavesToTheNext(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        let script = """
            cat "$HOME/kept" 2>/dev/null; echo kept > "$HOME/kept"; ls "$TMP_INPUT_DIR"; ls "$TMP_OUTPUT_DIR"
            touch "$TMP_INPUT_DIR/file" "$TMP_OUTPUT_DIR/file"
            sleep \(seconds) & (setsid sleep \(seconds) &) ; (trap '' TERM HUP; sleep \(seconds)) & echo on
            """
        try await subject.with { bench in
            try await bench.withInstance(script) { instance in
                let first = try await bench.run(on: instance)
                #expect(first.text == "on\n")
                #expect(processes(with: seconds) == [])
                let second = try await bench.run(on: instance)
                #expect(second.text == "kept\non\n")
                #expect(processes(with: seconds) == [])
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func timeOutEndsTheExecutionNotTheInstance(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        try await subject.with { bench in
            try await bench.withInstance(Self.any) { instance in
                let result = try await bench.run(on: instance) { invocation in
                    invocation.environment["DO"] =
                        "setsid sleep \(seconds) & (trap '' TERM; sleep \(seconds); sleep \(seconds)) & echo on; wait"
                    invocation.timeout = .milliseconds(300)
                    invocation.gracePeriod = .milliseconds(200)
                }
                #expect(result.ending == .timedOut)
                #expect(result.text == "on\n")
                #expect(processes(with: seconds) == [])
                let orderly = try await bench.run(on: instance) { invocation in
                    invocation.environment["DO"] =
                        "trap 'echo bye; exit 7' TERM; echo on; while :; do sleep 0.05; done"
                    invocation.timeout = .milliseconds(300)
                }
                #expect(orderly.ending == .timedOut)
                #expect(orderly.text == "on\nbye\n")
                let next = try await bench.run(on: instance) { $0.environment["DO"] = "echo fine" }
                #expect(next.text == "fine\n")
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func cancellationEndsTheExecutionNotTheInstance(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        try await subject.with { bench in
            try await bench.withInstance(Self.any) { instance in
                var invocation = try bench.invocation("")
                invocation.environment["DO"] = "setsid sleep \(seconds) & echo on; sleep \(seconds)"
                invocation.gracePeriod = .milliseconds(100)
                let (begun, begin) = AsyncStream.makeStream(of: Void.self)
                let task = Task { [invocation] in try await instance.run(invocation) { _ in begin.yield() } }
                _ = await begun.first { _ in true }
                try await eventually("the script's children run") { processes(with: seconds) != [] }
                task.cancel()
                let error = await #expect(throws: SandboxError.self) { _ = try await task.value }
                #expect(error?.code == .cancelled)
                #expect(processes(with: seconds) == [])
                let next = try await bench.run(on: instance) { $0.environment["DO"] = "echo fine" }
                #expect(next.text == "fine\n")
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func muchOutputWaitsForItsTaker(_ subject: Subject) async throws {
        let script = """
            i=0
            while [ $i -lt 20 ]; do head -c 1048576 /dev/zero; i=$((i + 1)); echo $i > "$HOME/written"; done; echo end >&2
            """
        try await subject.with { bench in
            try await bench.withInstance(script) { instance in
                let invocation = try bench.invocation("")
                let seen = Mutex((total: 0, largest: 0, pieces: 0))
                let outcome = try await instance.run(invocation) { piece in
                    guard piece.stream == .standardOutput else { return }
                    let number = seen.withLock { seen in
                        seen.total += piece.bytes.count
                        seen.largest = max(seen.largest, piece.bytes.count)
                        seen.pieces += 1
                        return seen.pieces
                    }
                    // Slow at times, so that what waits must stop the script.
                    if number % 100 == 0 { try? await Task.sleep(for: .milliseconds(20)) }
                }
                #expect(outcome.ending == .exited(0))
                seen.withLock { seen in
                    #expect(seen.total == 20 << 20)
                    #expect(seen.largest <= 1 << 16)
                }
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func scriptIsNotFarAheadOfATakerWhoWaits(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance("head -c 10000000 /dev/zero; echo done > \"$HOME/done\"") { instance in
                let taken = Mutex(0)
                let (first, tell) = AsyncStream.makeStream(of: Void.self)
                let (goOn, go) = AsyncStream.makeStream(of: Void.self)
                let invocation = try bench.invocation("")
                let task = Task {
                    try await instance.run(invocation) { piece in
                        let isFirst = taken.withLock { taken in
                            defer { taken += piece.bytes.count }
                            return taken == 0
                        }
                        guard isFirst else { return }
                        tell.yield()
                        for await _ in goOn { break }
                    }
                }
                for await _ in first { break }
                #expect(taken.withLock { $0 } <= 1 << 16)
                go.yield()
                #expect(try await task.value.ending == .exited(0))
                #expect(taken.withLock { $0 } == 10_000_000)
            }
        }
    }

    @Test(
        arguments: await Subject.usable(),
        [
            "rm -r \"$TMP_OUTPUT_DIR\"; ln -s /etc \"$TMP_OUTPUT_DIR\"", "rm -r \"$TMP_OUTPUT_DIR\"",
            "rm -r \"$TMP_OUTPUT_DIR\"; echo > \"$TMP_OUTPUT_DIR\"; rm -r \"$TMP_INPUT_DIR\"; ln -s / \"$TMP_INPUT_DIR\"",
            "cd \"$TMP_OUTPUT_DIR/..\"; mkdir -p in1/x out1/x in2 out2; echo > out1/x/y",
        ]
    )
    func directoriesThatAreNone(_ subject: Subject, script: String) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.any) { instance in
                var invocation = try bench.invocation("")
                invocation.environment["DO"] = script
                _ = try await instance.run(invocation) { _ in }
                for directory in [invocation.inputDirectory, invocation.outputDirectory] {
                    let type = try FileManager.default.attributesOfItem(atPath: directory.string)[.type]
                    #expect(type as? FileAttributeType == .typeDirectory)
                    #expect(bench.read(directory.appending("passwd")) == nil)
                }
                var output = FilePath()
                let next = try await bench.run(on: instance) { invocation in
                    invocation.environment["DO"] = "ls \"$TMP_OUTPUT_DIR\"; echo 1 > \"$TMP_OUTPUT_DIR/r\""
                    output = invocation.outputDirectory
                }
                #expect(next.text == "")
                #expect(bench.read(output.appending("r")) == Array("1\n".utf8))
            }
        }
    }

    @Test(arguments: await Subject.limited())
    func memoryLimit(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.any) {
                $0.memory = .mebibytes(64)
            } _: { instance in
                let result = try await bench.run(on: instance) {
                    $0.environment["DO"] = "x=$(head -c 100000000 /dev/zero | tr '\\0' a); echo survived; exit 1"
                }
                #expect(result.ending == .outOfMemory, "\(result.errorText)")
                let next = try await bench.run(on: instance) { $0.environment["DO"] = "exit 9" }
                #expect(next.ending == .exited(9))
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func stopEndsWhatRuns(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        try await subject.with { bench in
            try await bench.withInstance(
                "trap 'echo asked' TERM; setsid sleep \(seconds) & echo on; wait; sleep \(seconds)"
            ) {
                $0.gracePeriod = .milliseconds(300)
            } _: { instance in
                let invocation = try bench.invocation("")
                let (begun, begin) = AsyncStream.makeStream(of: Void.self)
                let task = Task { [invocation] in try await instance.run(invocation) { _ in begin.yield() } }
                _ = await begun.first { _ in true }
                await instance.stop()
                #expect(processes(with: seconds) == [])
                let error = await #expect(throws: SandboxError.self) { _ = try await task.value }
                #expect(error?.code == .instanceLost)
                #expect(await instance.waitForEnd() == .stopped)
                let late = await #expect(throws: SandboxError.self) { _ = try await instance.run(invocation) { _ in } }
                #expect(late?.code == .instanceLost)
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func leftoversAreEnded(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        try await subject.with { bench in
            try await bench.withInstance("setsid sleep \(seconds) & echo on; sleep \(seconds)") { instance in
                let invocation = try bench.invocation("")
                let (begun, begin) = AsyncStream.makeStream(of: Void.self)
                let task = Task { [invocation] in try await instance.run(invocation) { _ in begin.yield() } }
                _ = await begun.first { _ in true }
                await bench.sandbox.removeLeftovers()
                #expect(processes(with: seconds) == [])
                // The script may have been killed first, and its end told before its first process was.
                switch await task.result {
                case .success(let outcome): #expect(outcome.ending != .exited(0))
                case .failure(let error): #expect((error as? SandboxError)?.code == .instanceLost)
                }
                _ = await instance.waitForEnd()
            }
        }
    }

    @Test(arguments: [Subject.process, .processWithoutControlGroups])
    func lossOfTheFirstProcess(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        try await subject.with { bench in
            try await bench.withInstance("setsid sleep \(seconds) & sleep 0.1; kill -9 $PPID; sleep \(seconds)") {
                instance in
                let error = await #expect(throws: SandboxError.self) { _ = try await bench.run(on: instance) }
                #expect(error?.code == .instanceLost)
                #expect(await instance.waitForEnd() == .signalled(9))
                #expect(processes(with: seconds) == [])
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func oneAtATime(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance("echo on; sleep 100") { instance in
                let invocation = try bench.invocation("")
                let (begun, begin) = AsyncStream.makeStream(of: Void.self)
                let task = Task { [invocation] in try await instance.run(invocation) { _ in begin.yield() } }
                _ = await begun.first { _ in true }
                let error = await #expect(throws: SandboxError.self) { _ = try await bench.run(on: instance) }
                #expect(error?.code == .invalid)
                task.cancel()
                _ = try? await task.value
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func manyInvocationsLeaveNothing(_ subject: Subject) async throws {
        try await subject.with { bench in
            let directory = Mutex(FilePath())
            try await bench.withInstance("ls /proc/$PPID/fd 2>/dev/null | wc -l; ls -d /proc/[0-9]* | wc -l") {
                specification in
                directory.withLock { $0 = specification.directory }
            } _: { instance in
                let invocation = try bench.invocation("")
                var counts: [String] = []
                for _ in 0..<200 {
                    let collected = Collected()
                    #expect(try await instance.run(invocation) { collected.add($0) }.ending == .exited(0))
                    if let line = collected.text(.standardOutput).split(separator: "\n").first {
                        counts.append("\(line)")
                    }
                }
                #expect(counts.count == 200)
                // Three standard ones, the control socket, the signals' pipe, and the pipes of the execution, of which the
                // written ends are closed a moment after its start.
                #expect(counts.allSatisfy { (Int($0) ?? .max) <= 10 })
                let inside = directory.withLock { $0 }
                for name in ["control", "files"] {
                    let names = try? FileManager.default.contentsOfDirectory(atPath: inside.appending(name).string)
                    // What is made ready for small executions is there before there is one.
                    #expect((names ?? []).filter { !$0.hasPrefix("run-") } == [])
                }
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func startCanBeCancelled(_ subject: Subject) async throws {
        try await subject.with { bench in
            let config = try bench.scratch.directory("config")
            try bench.write([], config.appending("script.sh"))
            let specification = InstanceSpecification(
                id: "early", image: bench.image, directory: try bench.scratch.directory("early"),
                configDirectory: config)
            let task = Task { [sandbox = bench.sandbox] in
                withUnsafeCurrentTask { $0?.cancel() }
                return try await sandbox.startInstance(specification) { _ in }
            }
            let error = await #expect(throws: SandboxError.self) { _ = try await task.value }
            #expect(error?.code == .cancelled)
        }
    }

    @Test
    func withoutTheProgramThereAreNone() async throws {
        let scratch = try Scratch()
        let settings = ProcessSandbox.Settings(dataDirectory: scratch.path, waitingShells: 0, initProgram: nil)
        let sandbox = ProcessSandbox(settings)
        #expect(!sandbox.capabilities.hasInstances)
        let specification = InstanceSpecification(id: "a", directory: scratch.path, configDirectory: scratch.path)
        let error = await #expect(throws: SandboxError.self) {
            _ = try await sandbox.startInstance(specification) { _ in }
        }
        #expect(error?.code == .unavailable)
        await sandbox.shutDown()
    }
}
