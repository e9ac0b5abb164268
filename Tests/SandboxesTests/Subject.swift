import Foundation
import Model
import Sandboxes
import SystemPackage
import Testing

/// The sandboxes that the contract is tested with.
enum Subject: String, Sendable, CaseIterable, CustomTestStringConvertible {
    case process
    case processWithoutControlGroups
    case container

    var testDescription: String { rawValue }

    /// Those that work on this machine.
    static func usable() async -> [Subject] { [.process, .processWithoutControlGroups] }

    static func limited() async -> [Subject] {
        var subjects: [Subject] = []
        for subject in await usable() {
            let hasLimits = try? await subject.with { $0.sandbox.capabilities.enforcesLimits }
            if hasLimits == true { subjects.append(subject) }
        }
        return subjects
    }

    /// Calls the body with a fresh sandbox, and shuts it down.
    func with<Value: Sendable>(_ body: (Workbench) async throws -> Value) async throws -> Value {
        let scratch = try Scratch()
        let sandbox = try await make(scratch)
        let bench = Workbench(sandbox: sandbox, image: nil, scratch: scratch)
        do {
            let value = try await body(bench)
            await sandbox.shutDown()
            return value
        } catch {
            await sandbox.shutDown()
            throw error
        }
    }

    private func make(_ scratch: Scratch) async throws -> any Sandbox {
        switch self {
        case .process, .container:
            return ProcessSandbox(ProcessSandbox.Settings(dataDirectory: scratch.path))
        case .processWithoutControlGroups:
            return ProcessSandbox(ProcessSandbox.Settings(dataDirectory: scratch.path, usesControlGroups: false))
        }
    }
}
