import Foundation
import Model
import Sandboxes
import SystemPackage
import TestKit
import Testing

@Suite(.timeLimit(.minutes(5)))
struct ProcessSandboxTests {
    @Test(arguments: [true, false])
    func removesWhatAKilledApusLeft(usesControlGroups: Bool) async throws {
        let seconds = unusualSeconds()
        let scratch = try Scratch()
        let settings = ProcessSandbox.Settings(dataDirectory: scratch.path, usesControlGroups: usesControlGroups)
        let first = ProcessSandbox(settings)
        let bench = Workbench(sandbox: first, image: nil, scratch: scratch)
        let script = "setsid sleep \(seconds) & sleep \(seconds)"
        let task = Task { [invocation = try bench.invocation(script)] in try await first.run(invocation) { _ in } }
        #expect(await eventually { processes(with: seconds).count == 2 })
        // A second sandbox on the same data directory, as after a restart.
        let next = ProcessSandbox(settings)
        await next.removeLeftovers()
        #expect(processes(with: seconds) == [])
        #expect(try await task.value.ending != .exited(0))
        await next.shutDown()
        await first.shutDown()
    }

    @Test func leavesTheProcessesOfAnotherDataDirectory() async throws {
        let seconds = unusualSeconds()
        try await Subject.processWithoutControlGroups.with { bench in
            var invocation = try bench.invocation("echo on; sleep \(seconds)")
            invocation.gracePeriod = .zero
            let (begun, begin) = AsyncStream.makeStream(of: Void.self)
            let task = Task { [invocation, sandbox = bench.sandbox] in
                try await sandbox.run(invocation) { _ in begin.yield() }
            }
            _ = await begun.first { _ in true }
            try await eventually("the script's child runs") { processes(with: seconds) != [] }
            let other = try Scratch()
            let neighbour = ProcessSandbox(.init(dataDirectory: other.path, usesControlGroups: false))
            await neighbour.removeLeftovers()
            #expect(processes(with: seconds) != [])
            await neighbour.shutDown()
            task.cancel()
            _ = await task.result
        }
    }

    @Test func usesTheNextShellWhereAWaitingOneWasKilled() async throws {
        let scratch = try Scratch()
        let mark = "apus\(UUID().uuidString)"
        let environment = ["PATH": "/usr/bin:/bin", "MARK": mark]
        let sandbox = ProcessSandbox(.init(dataDirectory: scratch.path, waitingShells: 3, environment: environment))
        await sandbox.removeLeftovers()
        let bench = Workbench(sandbox: sandbox, image: nil, scratch: scratch)
        func waiting() -> [pid_t] {
            let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
            return names.compactMap { pid_t($0) }.filter { processID in
                let text = FileManager.default.contents(atPath: "/proc/\(processID)/environ") ?? Data()
                return processID != getpid() && String(decoding: text, as: UTF8.self).contains(mark)
            }
        }
        #expect(await eventually { waiting().count == 3 })
        let victims = waiting()
        for processID in victims { kill(processID, SIGKILL) }
        #expect(
            await eventually {
                victims.allSatisfy { processID in
                    let status = FileManager.default.contents(atPath: "/proc/\(processID)/stat") ?? Data()
                    return status.isEmpty || String(decoding: status, as: UTF8.self).contains(") Z ")
                }
            }
        )
        for code in 0..<5 as Range<Int32> {
            let result = try await bench.run("exit \(code)")
            #expect(result.ending == .exited(code))
        }
        await sandbox.shutDown()
        #expect(await eventually { waiting().isEmpty })
    }

    @Test func theEndOfOneLeavesThoseWithLongerNamesAlone() async throws {
        try await Subject.processWithoutControlGroups.with { bench in
            let gate = bench.scratch.path.appending("gate").string
            async let longer = bench.run("until [ -e \(gate) ]; do sleep 0.01; done; exit 7") { $0.id = "frame-10" }
            _ = try await bench.run("exit 0") { $0.id = "frame-1" }
            #expect(FileManager.default.createFile(atPath: gate, contents: nil))
            #expect(try await longer.ending == .exited(7))
        }
    }

    @Test func processLimit() async throws {
        let scratch = try Scratch()
        let sandbox = ProcessSandbox(.init(dataDirectory: scratch.path, processLimit: 20))
        guard sandbox.capabilities.enforcesLimits else { return }
        let bench = Workbench(sandbox: sandbox, image: nil, scratch: scratch)
        let result = try await bench.run("i=0; while [ $i -lt 50 ]; do sleep 100 & i=$((i+1)); done; echo all")
        #expect(!result.text.contains("all"))
        #expect(result.errorText.lowercased().contains("fork"))
        await sandbox.shutDown()
    }

    @Test func saysWhatItEnforces() async throws {
        let scratch = try Scratch()
        let without = ProcessSandbox(.init(dataDirectory: scratch.path, usesControlGroups: false))
        #expect(!without.capabilities.enforcesLimits)
        #expect(without.capabilities.network == .host)
        #expect(without.capabilities.sentences.contains { $0.contains("not enforced") })
        try await without.check(SandboxRequirements(image: nil))
        try await without.check(SandboxRequirements(image: "any/image"))
        await without.shutDown()
    }

    @Test func wholeEnvironmentOfNearlyOneMebibyte() async throws {
        try await Subject.process.with { bench in
            let environment = Dictionary(
                uniqueKeysWithValues: (0..<8).map { ("V\($0)", String(repeating: "'", count: 120_000)) }
            )
            let result = try await bench.run("printf %s \"$V7\" | wc -c") { $0.environment = environment }
            #expect(result.text.trimmingCharacters(in: .whitespacesAndNewlines) == "120000", "\(result.errorText)")
        }
    }
}
