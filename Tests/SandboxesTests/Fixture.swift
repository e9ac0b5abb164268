import Foundation
import Model
import Sandboxes
import Synchronization
import SystemPackage
import Testing

/// A temporary directory of one test.
final class Scratch: Sendable {
    let path: FilePath

    init() throws {
        path = FilePath("/tmp/apus-test-\(UUID().uuidString.prefix(13))")
        try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path.string) }

    func directory(_ name: String) throws -> FilePath {
        let directory = path.pushing(FilePath(name))
        try FileManager.default.createDirectory(atPath: directory.string, withIntermediateDirectories: true)
        return directory
    }
}

/// What one run gave.
struct RunResult: Sendable {
    var outcome: SandboxOutcome
    var standardOutput: [UInt8]
    var standardError: [UInt8]

    var text: String { String(decoding: standardOutput, as: UTF8.self) }
    var errorText: String { String(decoding: standardError, as: UTF8.self) }
    var ending: SandboxOutcome.Ending { outcome.ending }
}

/// A sandbox and the directories of its invocations.
final class Workbench: Sendable {
    let sandbox: any Sandbox
    let image: String?
    let scratch: Scratch
    private let count = Mutex(0)

    init(sandbox: any Sandbox, image: String?, scratch: Scratch) {
        (self.sandbox, self.image, self.scratch) = (sandbox, image, scratch)
    }

    func invocation(_ script: String, inputs: [String: [UInt8]] = [:]) throws -> SandboxInvocation {
        let number = count.withLock { count in
            count += 1
            return count
        }
        let work = "job-\(number)"
        var invocation = SandboxInvocation(
            id: "test-\(number)", image: image, workDirectory: try scratch.directory("work/\(work)/sandbox"),
            inputDirectory: try scratch.directory("work/\(work)/input"),
            outputDirectory: try scratch.directory("work/\(work)/output"),
            configDirectory: try scratch.directory("work/\(work)/config")
        )
        invocation.gracePeriod = .seconds(5)
        try write(Array(script.utf8), invocation.configDirectory.appending("script.sh"))
        try write(Array("name: test\n".utf8), invocation.configDirectory.appending("function_config.yaml"))
        for (name, bytes) in inputs { try write(bytes, invocation.inputDirectory.appending(name)) }
        return invocation
    }

    func run(
        _ script: String,
        inputs: [String: [UInt8]] = [:],
        change: (inout SandboxInvocation) -> Void = { _ in }
    ) async throws -> RunResult {
        var invocation = try invocation(script, inputs: inputs)
        change(&invocation)
        return try await run(invocation)
    }

    func run(_ invocation: SandboxInvocation) async throws -> RunResult {
        let collected = Mutex<[SandboxOutput.Stream: [UInt8]]>([:])
        let outcome = try await sandbox.run(invocation) { piece in
            collected.withLock { $0[piece.stream, default: []] += piece.bytes }
        }
        return collected.withLock { collected in
            RunResult(
                outcome: outcome, standardOutput: collected[.standardOutput] ?? [],
                standardError: collected[.standardError] ?? []
            )
        }
    }

    func write(_ bytes: [UInt8], _ path: FilePath) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path.string))
    }

    func read(_ path: FilePath) -> [UInt8]? { FileManager.default.contents(atPath: path.string).map(Array.init) }
}

/// The processes whose command line contains the text.
func processes(with text: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.filter { name in
        guard Int(name) != nil, let line = FileManager.default.contents(atPath: "/proc/\(name)/cmdline") else {
            return false
        }
        return String(decoding: line, as: UTF8.self).contains(text)
    }
}

/// Waits until the condition holds, at most ten seconds.
func eventually(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<1000 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(10))
    }
    return condition()
}

/// A number of seconds for `sleep` that no other process sleeps.
func unusualSeconds() -> String { "\(Int.random(in: 3_000_000...3_999_999)).\(Int.random(in: 1000...9999))" }
