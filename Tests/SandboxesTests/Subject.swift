import Foundation
import Model
import SystemPackage
import Testing

@testable import Sandboxes

/// The sandboxes that the contract is tested with.
enum Subject: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case process
    case processWithoutControlGroups
    case container
    /// With the runtime that is the second choice.
    case containerOfRunc

    var testDescription: String { rawValue }

    /// Those that work on this machine.
    static func usable() async -> [Subject] {
        var subjects = [Subject.process, .processWithoutControlGroups]
        if let reason = await ContainerFixture.reasonAgainst {
            print("The container sandbox is not tested: \(reason)")
        } else {
            subjects.append(.container)
        }
        if let reason = await ContainerFixture.reasonAgainstRunc {
            print("The container sandbox is not tested with runc: \(reason)")
        } else {
            subjects.append(.containerOfRunc)
        }
        return subjects
    }

    /// Those that enforce limits here.
    static func limited() async -> [Subject] {
        var subjects: [Subject] = []
        for subject in await usable() {
            let hasLimits = try? await subject.with { $0.sandbox.capabilities.enforcesLimits }
            if hasLimits == true { subjects.append(subject) }
        }
        return subjects
    }

    /// Calls the body with a fresh sandbox, and shuts it down.
    func with<Value: Sendable>(
        network: SandboxNetwork = .none,
        _ body: (Workbench) async throws -> Value
    ) async throws -> Value {
        let scratch = try Scratch()
        let bench: Workbench
        switch self {
        case .process:
            let settings = ProcessSandbox.Settings(dataDirectory: scratch.path)
            bench = Workbench(sandbox: ProcessSandbox(settings), image: nil, scratch: scratch)
        case .processWithoutControlGroups:
            let settings = ProcessSandbox.Settings(dataDirectory: scratch.path, usesControlGroups: false)
            bench = Workbench(sandbox: ProcessSandbox(settings), image: nil, scratch: scratch)
        case .container, .containerOfRunc:
            let families = self == .container ? ContainerRuntime.Family.allCases : [.runc]
            let sandbox = try await ContainerFixture.sandbox(in: scratch, network: network, families: families)
            bench = Workbench(sandbox: sandbox, image: ContainerFixture.image, scratch: scratch)
        }
        let result: Result<Value, any Error>
        do { result = .success(try await body(bench)) } catch { result = .failure(error) }
        await bench.sandbox.shutDown()
        return try result.get()
    }
}
