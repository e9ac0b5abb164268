import Foundation
import Model
import Sandboxes
import Synchronization
import SystemPackage

extension Workbench {
    /// Starts an instance whose script is that text, calls the body with it, and stops it.
    func withInstance<Value: Sendable>(
        _ script: String,
        log: Collected = Collected(),
        change: (inout InstanceSpecification) -> Void = { _ in },
        _ body: (SandboxInstance) async throws -> Value
    ) async throws -> Value {
        let name = "instance-\(UUID().uuidString.prefix(8))"
        let config = try scratch.directory("\(name)/config")
        try write(Array(script.utf8), config.appending("script.sh"))
        var specification = InstanceSpecification(
            id: name, image: image, directory: try scratch.directory("\(name)/sandbox"), configDirectory: config)
        specification.gracePeriod = .seconds(5)
        change(&specification)
        let instance = try await sandbox.startInstance(specification) { log.add($0) }
        let result: Result<Value, any Error>
        do { result = .success(try await body(instance)) } catch { result = .failure(error) }
        await instance.stop()
        return try result.get()
    }

    /// Runs an invocation on an instance.
    func run(
        on instance: SandboxInstance,
        inputs: [String: [UInt8]] = [:],
        change: (inout SandboxInvocation) -> Void = { _ in }
    ) async throws -> RunResult {
        var invocation = try invocation("", inputs: inputs)
        change(&invocation)
        let collected = Collected()
        let outcome = try await instance.run(invocation) { collected.add($0) }
        return RunResult(
            outcome: outcome, standardOutput: collected.bytes(.standardOutput),
            standardError: collected.bytes(.standardError)
        )
    }
}

/// The output of something, by stream.
final class Collected: Sendable {
    private let streams = Mutex<[SandboxOutput.Stream: [UInt8]]>([:])

    func add(_ piece: SandboxOutput) { streams.withLock { $0[piece.stream, default: []] += piece.bytes } }

    func bytes(_ stream: SandboxOutput.Stream) -> [UInt8] { streams.withLock { $0[stream] ?? [] } }

    func text(_ stream: SandboxOutput.Stream) -> String { String(decoding: bytes(stream), as: UTF8.self) }
}
