import Cluster
import ClusterTesting
import Glibc
import LoopbackServer
import Model
import ObjectEngine
import StateStore
import SystemPackage
import TestKit
import Testing

/// Volumes of services that run.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct VolumeTests {
    private static func volume(_ text: String) throws -> JSONObject { ["volume": try JSONValue.parse(text)] }

    private static func expect(
        _ code: ClusterError.Code,
        _ words: String,
        sourceLocation: SourceLocation = #_sourceLocation,
        _ body: () async throws -> Void
    ) async {
        let error = await #expect(throws: ClusterError.self, sourceLocation: sourceLocation) { try await body() }
        #expect(error?.code == code, sourceLocation: sourceLocation)
        #expect(error?.message.contains(words) == true, "\(error?.message ?? "")", sourceLocation: sourceLocation)
    }

    private func folders(_ cluster: ClusterFixture) throws -> [String] { try cluster.names(cluster.data.volumes) }

    @Test func keepsFilesFromJobToJob() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "s", script: "echo x >> \"$VOLUME_PATH/count\"; wc -l < \"$VOLUME_PATH/count\"", input: ["source/in"],
                more: Self.volume(#"{"size":"1Gi","mount_path":"/data"}"#))
            let service = try #require(cluster.catalog[try ServiceName("s")])
            #expect(cluster.volumes.status(of: service).text() == #"{"enabled":true,"name":"s","phase":"in_use"}"#)
            for key in ["a", "b"] {
                try await cluster.put("x", "in/\(key)", in: "source")
                try await cluster.ended(key == "a" ? 1 : 2)
            }
            let logs = try await [cluster.log(cluster.allJobs()[0]), cluster.log(cluster.allJobs()[1])]
            #expect(logs == ["1\n", "2\n"])
            let view = try cluster.volumes.volume(try VolumeName("s"), of: "cluster_admin")
            #expect(view.attachments.map(\.service.text) == ["s"] && view.record.policy == .delete)
            // It goes with the service that made it.
            try await cluster.registry.remove(try ServiceName("s"), deletingData: false)
            #expect(try cluster.volumes.all().isEmpty && folders(cluster).isEmpty)
        }
    }

    @Test func aRetainedVolumeStaysAndIsUsedAgain() async throws {
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.serve(at: folder) { cluster in
                try await cluster.create(
                    "s", script: "echo kept > \"$VOLUME_PATH/f\"", input: ["source/in"],
                    more: Self.volume(
                        #"{"name":"v","size":"1Gi","mount_path":"/data","lifecycle_policy":"retain"}"#))
                try await cluster.put("x", "in/a", in: "source")
                try await cluster.ended(1)
                try await cluster.registry.remove(try ServiceName("s"), deletingData: true)
            }
            try await ClusterFixture.serve(at: folder) { cluster in
                #expect(cluster.volumes.all().map(\.phase) == [.ready])
                try await cluster.create(
                    "t", script: "cat \"$VOLUME_PATH/f\"", input: ["source/in"],
                    more: Self.volume(#"{"name":"v","mount_path":"/data"}"#))
                await Self.expect(.invalid, "managed volume is still attached to one or more services") {
                    try await cluster.volumes.remove(try VolumeName("v"), owner: "cluster_admin")
                }
                try await cluster.put("x", "in/a", in: "source")
                let job = try #require(try await cluster.ended(1).first)
                #expect(try await cluster.log(job) == "kept\n")
                try await cluster.registry.remove(try ServiceName("t"), deletingData: false)
                try await cluster.volumes.remove(try VolumeName("v"), owner: "cluster_admin")
                #expect(try folders(cluster).isEmpty)
            }
        }
    }

    @Test func refusesWhatCannotBe() async throws {
        var options = ClusterFixture.Options()
        options.quota = try Quota(
            text: "volumes=2,volume_disk=5Gi,max_disk_per_volume=4Gi,min_disk_per_volume=1Mi")
        try await ClusterFixture.serve(options) { cluster in
            let name = try VolumeName("v")
            func make(_ name: String, _ size: String) async throws {
                _ = try await cluster.volumes.create(
                    try VolumeName(name), size: try Quantity(size).byteCount(), owner: "ada")
            }
            await Self.expect(.invalid, "max_disk_per_volume of 4 GiB") { try await make("v", "5Gi") }
            await Self.expect(.invalid, "min_disk_per_volume of 1 MiB") { try await make("v", "1Ki") }
            try await make("v", "4Gi")
            await Self.expect(.conflict, "volume already exists in caller namespace") { try await make("v", "1Gi") }
            await Self.expect(.invalid, "volume quota exceeded: volumes of 4 GiB") { try await make("w", "2Gi") }
            try await make("w", "1Gi")
            await Self.expect(.invalid, "volume quota exceeded: 2 volumes of 2") { try await make("x", "1Mi") }
            await Self.expect(.invalid, "max_disk_per_volume of 4 GiB") {
                _ = try await cluster.volumes.resize(name, to: ByteCount((4 << 30) + 1), owner: "ada")
            }
            #expect(cluster.volumes.usage(of: "ada").bytes == ByteCount(5 << 30))
            // Another owner's names are its own, and out of reach.
            await Self.expect(.notFound, "does not exist") {
                try await cluster.volumes.remove(name, owner: "bob")
            }
            await Self.expect(.invalid, "Referenced volume does not exist in the caller namespace") {
                try await cluster.create(
                    "s", script: "true", more: Self.volume(#"{"name":"v","mount_path":"/data"}"#))
            }
            #expect(cluster.catalog.all.isEmpty)
        }
    }

    @Test func aServiceKeepsItsVolume() async throws {
        try await ClusterFixture.serve { cluster in
            let definition = ClusterFixture.definition(
                "s", script: "true", more: try Self.volume(#"{"size":"1Gi","mount_path":"/data"}"#))
            try await cluster.registry.create(definition, owner: "cluster_admin")
            try await cluster.registry.update(definition)
            await Self.expect(.invalid, "volume updates are not supported after service creation") {
                try await cluster.registry.update(ClusterFixture.definition("s", script: "true"))
            }
            // A second one cannot make what is there, and leaves nothing.
            await Self.expect(.conflict, "volume already exists") {
                try await cluster.create(
                    "t", script: "true", input: ["source/in"],
                    more: Self.volume(#"{"name":"s","size":"1Gi","mount_path":"/data"}"#))
            }
            #expect(try await cluster.objects.buckets().isEmpty)
        }
    }

    @Test func aVolumeThatIsTooFullKeepsJobsFromStartingUntilItIsLarger() async throws {
        try await ClusterFixture.serve { cluster in
            try await cluster.create(
                "s", script: "head -c 200000 /dev/zero >> \"$VOLUME_PATH/f\"", input: ["source/in"],
                more: Self.volume(#"{"size":"100Ki","mount_path":"/data"}"#))
            try await cluster.put("x", "in/a", in: "source")
            #expect(try await cluster.ended(1).last?.state == .succeeded)
            try await cluster.put("x", "in/b", in: "source")
            let refused = try #require(try await cluster.ended(2).last)
            #expect(refused.state == .failed && refused.attempts == 1)
            #expect(refused.message?.contains("more than its size of 100 KiB") == true, "\(refused.message ?? "")")
            let view = try cluster.volumes.volume(try VolumeName("s"), of: "cluster_admin")
            #expect(view.phase == .error && view.message?.contains("make it larger") == true)
            _ = try await cluster.volumes.resize(
                try VolumeName("s"), to: .mebibytes(1), owner: "cluster_admin")
            try await cluster.put("x", "in/c", in: "source")
            #expect(try await cluster.ended(3).last?.state == .succeeded)
        }
    }

    @Test func removalFollowsNoLinks() async throws {
        try await TemporaryFolder.with { outside in
            let precious = outside.appending("precious").string
            try Self.touch(precious)
            try await ClusterFixture.serve { cluster in
                try await cluster.create(
                    "s",
                    script: "cd \"$VOLUME_PATH\"; ln -s \(outside) link; ln -s \(precious) file; mkdir -p a/b; "
                        + "chmod 0 a/b; ln -s .. a/up",
                    input: ["source/in"], more: Self.volume(#"{"size":"1Gi","mount_path":"/data"}"#))
                try await cluster.put("x", "in/a", in: "source")
                #expect(try await cluster.ended(1).last?.state == .succeeded)
                try await cluster.registry.remove(try ServiceName("s"), deletingData: false)
                #expect(try folders(cluster).isEmpty)
                #expect(access(precious, F_OK) == 0)
            }
        }
    }

    @Test func onlyTheOwnerOfTheClusterReachesTheFolder() async throws {
        try await ClusterFixture.serve { cluster in
            _ = try await cluster.volumes.create(try VolumeName("v"), size: .mebibytes(1), owner: "ada")
            let id = try #require(try folders(cluster).first)
            var status = stat()
            #expect(stat(cluster.data.volumes.appending(id).string, &status) == 0)
            #expect(status.st_mode & 0o777 == 0o700)
        }
    }

    private static func touch(_ path: String) throws {
        let file = try FileDescriptor.open(
            FilePath(path), .writeOnly, options: [.create], permissions: .ownerReadWrite)
        try file.close()
    }
}
