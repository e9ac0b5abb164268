import Logging
import Model
import Sandboxes
import ServiceLifecycle
import Synchronization
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("Images that are fetched ahead", .timeLimit(.minutes(1)))
struct ImageFetcherTests {
    /// A sandbox that only notes which images it is to prepare.
    private final class Notes: Sandbox {
        let images = Mutex<[String]>([])

        let kind = SandboxKind.container
        let capabilities = ProcessSandbox(.init(dataDirectory: "/tmp")).capabilities

        func check(_ requirements: SandboxRequirements) async throws(SandboxError) {}

        func prepare(image: String, progress: @escaping @Sendable (String) -> Void) async throws(SandboxError) {
            images.withLock { $0.append(image) }
            guard image != "bad" else { throw SandboxError(.imageMissing, "there is no such image") }
        }

        func run(
            _ invocation: SandboxInvocation,
            output: @escaping @Sendable (SandboxOutput) async -> Void
        ) async throws(SandboxError) -> SandboxOutcome {
            throw SandboxError(.unavailable, "nothing runs here")
        }

        func startInstance(
            _ specification: InstanceSpecification,
            log: @escaping @Sendable (SandboxOutput) async -> Void
        ) async throws(SandboxError) -> SandboxInstance {
            throw SandboxError(.unavailable, "nothing runs here")
        }

        func removeLeftovers() async {}
        func shutDown() async {}
    }

    @Test("each in turn; one that cannot be had keeps no other one back")
    func inTurn() async throws {
        let notes = Notes()
        let set = SandboxSet(
            process: notes, container: { () async throws(SandboxError) in notes }, runsAllAsProcesses: false)
        let fetcher = ImageFetcher(sandboxes: set, logger: Logger(label: "test"))
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await fetcher.run() }
            for image in ["one", "bad", "two"] { fetcher.fetchSoon(image) }
            try await eventually("all were tried") { notes.images.withLock { $0 } == ["one", "bad", "two"] }
            group.cancelAll()
        }
    }
}
