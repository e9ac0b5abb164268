import Foundation
import Model
import NIOCore
import NIOPosix
import Sandboxes
import Synchronization
import SystemPackage
import TestKit
import Testing

/// What instances in mode resident promise, in every sandbox.
@Suite(.timeLimit(.minutes(5)))
struct ResidentInstanceTests {
    /// A program in plain shell: it does what its input file says, in the shell's own words, with `id` and `output` set.
    static let program = """
        part() { rest=${line#*\\"$1\\":\\"}; echo "${rest%%\\"*}"; }
        answer() { printf '{"id":"%s","ok":true,"result":"%s"}\\n' "$id" "$1"; }
        count=0
        echo started >&2
        while IFS= read -r line; do
            count=$((count + 1)); id=$(part id); input=$(part input); output=$(part output_dir)
            eval "$(cat "$input")"
        done
        """

    private func call(_ instance: SandboxInstance, _ body: String, timeout: Duration? = nil) async throws
        -> ResidentAnswer
    {
        let promise = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: ResidentAnswer.self)
        instance.call(ByteBuffer(string: body), timeout: timeout, promise: promise)
        return try await promise.futureResult.get()
    }

    private func result(_ answer: ResidentAnswer) -> String? {
        guard case .result(let text) = answer.outcome else { return nil }
        return String(buffer: text)
    }

    @Test(arguments: await Subject.usable())
    func oneProgramForManyInvocations(_ subject: Subject) async throws {
        let log = Collected()
        try await subject.with { bench in
            try await bench.withInstance(Self.program, log: log) {
                $0.mode = .resident
            } _: { instance in
                for number in 1...5 {
                    var output = FilePath()
                    let result = try await bench.run(
                        on: instance, inputs: ["do it": Array("echo $count > $output/r; answer \"n $count\"".utf8)]
                    ) { invocation in
                        invocation.inputFileName = "do it"
                        output = invocation.outputDirectory
                    }
                    #expect(result.ending == .exited(0))
                    #expect(result.text == "n \(number)")
                    #expect(bench.read(output.appending("r")) == Array("\(number)\n".utf8))
                }
                for number in 6...30 {
                    let answer = try await call(instance, "answer \"$count\"")
                    #expect(result(answer) == "\(number)")
                    #expect(answer.files == nil)
                }
            }
            #expect(log.text(.standardError) == "started\n")
        }
    }

    @Test(arguments: await Subject.usable())
    func filesOfSmallCalls(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.program) {
                $0.mode = .resident
            } _: { instance in
                for number in 1...20 {
                    let wantsFile = number % 3 != 0
                    let answer = try await call(
                        instance, (wantsFile ? "echo $count > \"$output/file\";" : "") + "answer ok")
                    #expect(result(answer) == "ok")
                    #expect((answer.files != nil) == wantsFile)
                    if let files = answer.files {
                        #expect(bench.read(files.appending("file")) == Array("\(number)\n".utf8))
                    }
                }
            }
        }
    }

    /// The program takes the places of its calls away, or puts something else there.
    @Test(arguments: await Subject.usable())
    func placesThatAreTampered(_ subject: Subject) async throws {
        let tricks = [
            "rm \"$input\"", "rm \"$input\"; ln -s /etc/passwd \"$input\"", "rm -r \"${input%/*}\"",
            "rm -r \"${input%/*}\"; ln -s /etc \"${input%/*}\"", "rmdir \"$output\"",
            "rmdir \"$output\"; ln -s /etc \"$output\"",
            "rmdir \"$output\"; echo > \"$output\"",
            "mkdir -p \"$output/a/b\"; ln -s / \"$output/a/c\"; chmod 0 \"$output/a\"",
            "head -c 100000 /dev/zero > \"$input\"", "true",
        ]
        try await subject.with { bench in
            try await bench.withInstance(Self.program) {
                $0.mode = .resident
            } _: { instance in
                let before = try FileManager.default.attributesOfItem(atPath: "/etc/passwd")[.modificationDate] as? Date
                for trick in tricks {
                    let answer = try await call(instance, "\(trick); answer 1")
                    #expect(result(answer) == "1")
                    if let files = answer.files {
                        #expect(bench.read(files.appending("passwd")) == nil)
                    }
                    let next = try await call(instance, "answer 2")
                    #expect(result(next) == "2", "after \(trick)")
                }
                let after = try FileManager.default.attributesOfItem(atPath: "/etc/passwd")[.modificationDate] as? Date
                #expect(before == after)
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func errorsAreAnswers(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.program) {
                $0.mode = .resident
            } _: { instance in
                let refusal = "printf '{\"id\":\"%s\",\"ok\":false,\"error\":\"no \\\\\"such\\\\\" thing\"}\\n' \"$id\""
                let answer = try await call(instance, refusal)
                #expect(answer.outcome == .refused("no \"such\" thing"))
                let run = try await bench.run(on: instance, inputs: ["i": Array(refusal.utf8)]) {
                    $0.inputFileName = "i"
                }
                #expect(run.ending == .refused("no \"such\" thing"))
                do {
                    let text = try await result(call(instance, "answer fine"))
                    #expect(text == "fine")
                }
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func whatIsNoAnswerIsLog(_ subject: Subject) async throws {
        let log = Collected()
        try await subject.with { bench in
            try await bench.withInstance(Self.program, log: log) {
                $0.mode = .resident
            } _: { instance in
                let noise = "echo hello; echo '{\"id\":\"999999\",\"ok\":true}'; echo '{}'; echo; echo '[1'; answer 1"
                do {
                    let text = try await result(call(instance, noise))
                    #expect(text == "1")
                }
                try await eventually("all of the log") { log.text(.standardOutput).contains("[1\n") }
            }
            // Without the empty line, which means nothing.
            #expect(log.text(.standardOutput) == "hello\n{\"id\":\"999999\",\"ok\":true}\n{}\n[1\n")
        }
    }

    @Test(arguments: [Subject.process])
    func answersThatAreTooLong(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.program) {
                $0.mode = .resident
            } _: { instance in
                let long =
                    "printf '{\"id\":\"%s\",\"ok\":true,\"result\":\"' $id; head -c 20000000 /dev/zero | tr '\\0' a; echo '\"}'"
                guard case .refused(let words) = try await call(instance, long).outcome else {
                    Issue.record("a long answer was taken")
                    return
                }
                #expect(words.contains("16Mi") || words.contains("longer"))
                let large =
                    "printf '{\"id\":\"%s\",\"ok\":true,\"result\":\"' $id; head -c 10000000 /dev/zero | tr '\\0' a; echo '\"}'"
                do {
                    let text = try await result(call(instance, large))
                    #expect(text?.utf8.count == 10_000_000)
                }
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func timeOutEndsTheInstance(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        try await subject.with { bench in
            try await bench.withInstance(Self.program) {
                ($0.mode, $0.concurrency, $0.gracePeriod) = (.resident, 2, .milliseconds(100))
            } _: { instance in
                // In this order, whatever the machine has to do.
                let promises = (0..<2).map { _ in
                    MultiThreadedEventLoopGroup.singleton.next().makePromise(of: ResidentAnswer.self)
                }
                instance.call(ByteBuffer(string: "sleep \(seconds)"), timeout: .milliseconds(300), promise: promises[0])
                instance.call(ByteBuffer(string: "answer 1"), promise: promises[1])
                let outcome = try await promises[0].futureResult.get().outcome
                #expect(outcome == .timedOut)
                let error = await #expect(throws: SandboxError.self) { _ = try await promises[1].futureResult.get() }
                #expect(error?.code == .instanceLost)
                #expect(await instance.waitForEnd() == .stopped)
                #expect(processes(with: seconds) == [])
            }
            try await bench.withInstance(Self.program) {
                ($0.mode, $0.gracePeriod) = (.resident, .milliseconds(100))
            } _: { instance in
                let run = try await bench.run(on: instance, inputs: ["i": Array("sleep \(seconds)".utf8)]) {
                    invocation in
                    invocation.inputFileName = "i"
                    invocation.timeout = .milliseconds(300)
                }
                #expect(run.ending == .timedOut)
                #expect(processes(with: seconds) == [])
            }
        }
    }

    @Test(arguments: await Subject.usable(), ["exit 3", "kill -9 $$", "exec >&-; sleep 100"])
    func crashInTheMiddleOfACall(_ subject: Subject, crash: String) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.program) {
                ($0.mode, $0.gracePeriod) = (.resident, .milliseconds(100))
            } _: { instance in
                do {
                    let text = try await result(call(instance, "answer 1"))
                    #expect(text == "1")
                }
                let error = await #expect(throws: SandboxError.self) { _ = try await call(instance, crash) }
                #expect(error?.code == .instanceLost)
                let end = await instance.waitForEnd()
                switch crash {
                case "exit 3": #expect(end == .exited(3))
                case "kill -9 $$": #expect([.signalled(9), .exited(137)].contains(end))
                default: #expect(end == .stopped)
                }
                let late = await #expect(throws: SandboxError.self) { _ = try await call(instance, "answer 1") }
                #expect(late?.code == .instanceLost)
            }
        }
    }

    /// A process that the program started, and that is not one of ours, may keep its output open.
    @Test(arguments: [Subject.process])
    func outputThatStaysOpen(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.program) {
                ($0.mode, $0.gracePeriod) = (.resident, .milliseconds(100))
            } _: { instance in
                let answer = try await call(instance, "answer $$")
                let number = try #require(result(answer))
                let holder = try #require(FileHandle(forWritingAtPath: "/proc/\(number)/fd/1"))
                let error = await #expect(throws: SandboxError.self) { _ = try await call(instance, "exit 5") }
                #expect(error?.code == .instanceLost)
                let end = await instance.waitForEnd()
                #expect(end == .exited(5))
                try holder.close()
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func cancellation(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        try await subject.with { bench in
            try await bench.withInstance(Self.program) {
                ($0.mode, $0.gracePeriod) = (.resident, .milliseconds(100))
            } _: { instance in
                var invocation = try bench.invocation("", inputs: ["i": Array("sleep \(seconds)".utf8)])
                (invocation.inputFileName, invocation.gracePeriod) = ("i", .milliseconds(100))
                let task = Task { [invocation] in try await instance.run(invocation) { _ in } }
                try await eventually("the call is worked on") { processes(with: seconds) != [] }
                task.cancel()
                let error = await #expect(throws: SandboxError.self) { _ = try await task.value }
                #expect(error?.code == .cancelled)
                #expect(processes(with: seconds) == [])
            }
        }
    }

    @Test(arguments: await Subject.limited())
    func memoryLimit(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.program) {
                ($0.mode, $0.memory) = (.resident, .mebibytes(64))
            } _: { instance in
                let hog = "x=$(head -c 100000000 /dev/zero | tr '\\0' a); kill -9 $$"
                let run = try await bench.run(on: instance, inputs: ["i": Array(hog.utf8)]) { $0.inputFileName = "i" }
                #expect(run.ending == .outOfMemory)
                #expect(await instance.waitForEnd() == .outOfMemory)
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func severalAtOnceInAnyOrder(_ subject: Subject) async throws {
        // Answers when four calls are there, the last one first.
        let program = """
            part() { rest=${line#*\\"$1\\":\\"}; echo "${rest%%\\"*}"; }
            while IFS= read -r line; do
                ids="$(part id) $ids"; count=$((count + 1)); [ $count = 4 ] || continue
                for id in $ids; do echo "{\\"ok\\": true, \\"id\\": \\"$id\\", \\"result\\": \\"for $id\\"}"; done; ids=; count=0
            done
            """
        try await subject.with { bench in
            try await bench.withInstance(program) {
                ($0.mode, $0.concurrency) = (.resident, 4)
            } _: { instance in
                for _ in 0..<3 {
                    let answers = try await withThrowingTaskGroup(of: String?.self) { group in
                        for _ in 0..<4 { group.addTask { result(try await call(instance, "x")) } }
                        return try await group.reduce(into: Set()) { $0.insert($1) }
                    }
                    #expect(answers.count == 4 && !answers.contains(nil))
                }
                // All at once, so that none is answered before the last one is made.
                let futures = try await instance.eventLoop.submit {
                    (0..<5).map { _ in
                        let promise = instance.eventLoop.makePromise(of: ResidentAnswer.self)
                        instance.call(ByteBuffer(string: "x"), promise: promise)
                        return promise.futureResult
                    }
                }.get()
                var refusals: [SandboxError.Code] = []
                for future in futures {
                    do { _ = try await future.get() } catch let error as SandboxError { refusals.append(error.code) }
                }
                #expect(refusals == [.invalid])
            }
        }
    }

    @Test(arguments: [Subject.process])
    func filesOfABatchTravelTogether(_ subject: Subject) async throws {
        // Answers every member with how many came in its line.
        let program = """
            while IFS= read -r line; do
                case $line in *'"batch":['*) members=${line#*batch} ;; *) members=$line ;; esac
                ids=$(echo "$members" | grep -o '"id":"[0-9]*"' | grep -o '[0-9]*'); set -- $ids
                for id in $ids; do echo "{\\"id\\":\\"$id\\",\\"ok\\":true,\\"result\\":\\"$#\\"}"; done
            done
            """
        try await subject.with { bench in
            try await bench.withInstance(program) {
                ($0.mode, $0.batch) = (.resident, .init(files: 4, wait: .seconds(1)))
            } _: { instance in
                let texts = try await withThrowingTaskGroup(of: String.self) { group in
                    for _ in 0..<4 { group.addTask { try await bench.run(on: instance).text } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                #expect(texts == ["4", "4", "4", "4"])
                let alone = try await bench.run(on: instance).text
                #expect(alone == "1")
                do {
                    let text = try await result(call(instance, "x"))
                    #expect(text == "1")
                }
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func eventAndOddNames(_ subject: Subject) async throws {
        let program = """
            while IFS= read -r line; do
                id=${line#*\\"id\\":\\"}; id=${id%%\\"*}
                printf '%s\\n' "$line" > "$HOME/line"; text=$(sed 's/[\\\\"]/\\\\&/g' "$HOME/line")
                printf '{"id":"%s","ok":true,"result":"%s"}\\n' "$id" "$text"
            done
            """
        guard subject == .process || subject == .processWithoutControlGroups else { return }
        try await subject.with { bench in
            try await bench.withInstance(program) {
                $0.mode = .resident
            } _: { instance in
                let name = "a \"b\" \n é"
                let result = try await bench.run(on: instance, inputs: [name: []]) { invocation in
                    invocation.inputFileName = name
                    invocation.environment["EVENT"] = "{ \"Records\" : [ 1.50, \"a\\nb\" ]\n}"
                }
                let line = try JSONValue.parse(result.text)
                #expect(line["input"]?.stringValue?.hasSuffix("/input/\(name)") == true)
                #expect(line["event"]?["Records"]?[0] == .number("1.50"))
                #expect(line["output_dir"]?.stringValue?.hasSuffix("/output") == true)
                let without = try JSONValue.parse(try await bench.run(on: instance).text)
                #expect(without["input"] == .null && without["event"] == .null)
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func programThatCannotBeStarted(_ subject: Subject) async throws {
        try await subject.with { bench in
            do {
                try await bench.withInstance("exit 4") {
                    $0.mode = .resident
                } _: { instance in
                    let error = await #expect(throws: SandboxError.self) { _ = try await call(instance, "x") }
                    #expect(error?.code == .instanceLost)
                    #expect(await instance.waitForEnd() == .exited(4))
                }
            } catch let error as SandboxError where error.code == .startFailed {
                // It had ended before the instance was there.
                #expect(
                    error.message.contains("exited(4)") || "\(String(describing: error.cause))".contains("exited(4)"))
            }
        }
    }
}
