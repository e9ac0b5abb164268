import ClusterTesting
import Glibc
import LoopbackServer
import Model
import StateStore
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("Services at the start", .serialized, .timeLimit(.minutes(2)))
struct ServiceLoadTests {
    /// Makes a service and ends; then a start on the same directory, after a change of the service's folder.
    private func afterStop(
        _ change: @escaping @Sendable (FilePath) throws -> Void,
        _ check: @escaping @Sendable (ClusterFixture, FilePath) async throws -> Void
    ) async throws {
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.open(at: folder) { cluster in
                try await cluster.create("s", script: "echo ran", input: ["bkt/in"])
                let service = try #require(cluster.catalog.all.first)
                try change(service.configuration)
            }
            try await ClusterFixture.serve(at: folder) { cluster in
                let configuration = folder.appending("services/s/1")
                try await check(cluster, configuration)
            }
        }
    }

    @Test("a service whose files cannot be written gets its jobs, and runs them when they can")
    func filesCannotBeWritten() async throws {
        try await afterStop { configuration in
            // Nothing can be made below a file: what comes nearest to a full disk.
            try Folder.remove(configuration)
            _ = try configuration.write("in the way".utf8)
        } _: { cluster, configuration in
            try await cluster.put("x", "in/1", in: "bkt")
            try await eventually("the event made a job") { try await cluster.allJobs().count == 1 }
            #expect(try await cluster.allJobs().first?.state == .queued)
            try Folder.removeFile(configuration)
            let job = try #require(try await cluster.ended(1).first)
            #expect(job.state == .succeeded)
            #expect(try await cluster.log(job) == "ran\n")
        }
    }

    @Test("files that are there are not written again")
    func filesAreLeftAlone() async throws {
        try await afterStop { configuration in
            try Folder.writeFile(configuration.appending("function_config.yaml"), Array("damaged".utf8))
            #expect(chmod(configuration.appending("script.sh").string, 0o700) == 0)
        } _: { _, configuration in
            #expect(try configuration.appending("script.sh").mode() == 0o700)
            let repaired = try Folder.readSmallFile(configuration.appending("function_config.yaml"))
            #expect(repaired?.contains("name: s") == true || repaired?.contains("\"name\"") == true)
        }
    }
}
