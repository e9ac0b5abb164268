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

/// Buckets that services mount.
@Suite(.serialized, .timeLimit(.minutes(2)))
struct BucketMountTests {
    private static func mount(_ path: String, options: String = "") -> JSONObject {
        [
            "mount": .object([
                "storage_provider": .string("minio.default"), "path": .string(path), "options": .string(options),
            ])
        ]
    }

    /// Runs the service once more, and answers the job.
    private func job(_ cluster: ClusterFixture, _ number: Int) async throws -> JobRecord {
        try await cluster.put("x", "in/k\(number)", in: "source")
        return try #require(try await cluster.ended(number).last)
    }

    private func bucket(_ cluster: ClusterFixture) async throws {
        _ = try await cluster.objects.createBucket(try BucketName("data"), owner: "cluster_admin")
    }

    @Test func showsWhatTheBucketHoldsAndPutsChangesBack() async throws {
        try await ClusterFixture.serve { cluster in
            try await bucket(cluster)
            try await cluster.put("one", "set/a", in: "data")
            try await cluster.put("two", "set/deep/b", in: "data")
            try await cluster.put("no", "other", in: "data")
            try await cluster.create(
                "s",
                script:
                    "cd \"$MOUNT_PATH\"; find . -type f | sort; cat a; echo more >> a; mkdir -p n/m; echo new > n/m/c",
                input: ["source/in"], more: Self.mount("data/set"))
            let first = try await job(cluster, 1)
            #expect(try await cluster.log(first) == "./a\n./deep/b\none")
            #expect(try await cluster.text("set/a", in: "data") == "onemore\n")
            #expect(try await cluster.text("set/n/m/c", in: "data") == "new\n")
            let untouched = try await cluster.objects.object(try ObjectKey("set/deep/b"), in: try BucketName("data"))
            // What others change in the bucket is there at the next invocation; what they remove is gone.
            try await cluster.put("three", "set/a", in: "data")
            _ = try await cluster.objects.delete([try ObjectKey("set/n/m/c")], in: try BucketName("data"))
            let second = try await job(cluster, 2)
            #expect(try await cluster.log(second) == "./a\n./deep/b\nthree")
            // What was not changed was not put again.
            let still = try await cluster.objects.object(try ObjectKey("set/deep/b"), in: try BucketName("data"))
            #expect(still == untouched)
        }
    }

    @Test func aReadOnlyMountChangesNothing() async throws {
        try await ClusterFixture.serve { cluster in
            try await bucket(cluster)
            try await cluster.put("one", "a", in: "data")
            try await cluster.create(
                "s", script: "echo more >> \"$MOUNT_PATH/a\"", input: ["source/in"],
                more: Self.mount("data", options: "--read-only --vfs-cache-mode full"))
            #expect(try await job(cluster, 1).state == .succeeded)
            #expect(try await cluster.text("a", in: "data") == "one")
        }
    }

    @Test func whatIsRemovedComesBack() async throws {
        try await ClusterFixture.serve { cluster in
            try await bucket(cluster)
            try await cluster.put("one", "a", in: "data")
            try await cluster.create(
                "s", script: "cat \"$MOUNT_PATH/a\"; rm \"$MOUNT_PATH/a\"", input: ["source/in"],
                more: Self.mount("data"))
            #expect(try await cluster.log(try await job(cluster, 1)) == "one")
            #expect(try await cluster.log(try await job(cluster, 2)) == "one")
            #expect(try await cluster.text("a", in: "data") == "one")
        }
    }

    @Test func linksLeadNowhere() async throws {
        try await TemporaryFolder.with { outside in
            try await ClusterFixture.serve { cluster in
                try await bucket(cluster)
                try await cluster.put("one", "dir/a", in: "data")
                try await cluster.put("x", "../escape", in: "data")
                try await cluster.put("x", "b/../../escape", in: "data")
                // The folder that an object belongs into becomes a link to elsewhere; a link stands for a file.
                try await cluster.create(
                    "s",
                    script: "cd \"$MOUNT_PATH\"; rm -rf dir; ln -s \(outside) dir; ln -s /etc/passwd pw; ls -a | wc -l",
                    input: ["source/in"], more: Self.mount("data"))
                #expect(try await job(cluster, 1).state == .succeeded)
                try await cluster.put("two", "dir/a", in: "data")
                #expect(try await job(cluster, 2).state == .succeeded)
                #expect(try cluster.names(outside).isEmpty)
                #expect(try await cluster.keys("data") == ["../escape", "b/../../escape", "dir/a"])
                #expect(try cluster.names(cluster.data.mounts.appending("s")) == ["files"])
            }
        }
    }

    @Test func saysWhatIsWrong() async throws {
        var options = ClusterFixture.Options()
        options.mountLimits = BucketMounts.Limits(objects: 1)
        options.quota = try Quota(text: "storage_per_bucket=10")
        try await ClusterFixture.serve(options) { cluster in
            _ = try await cluster.objects.createBucket(try BucketName("data"), owner: "ada")
            try await cluster.create(
                "s", script: "head -c 20 /dev/zero > \"$MOUNT_PATH/a\"", input: ["source/in"], more: Self.mount("data"))
            let full = try await job(cluster, 1)
            #expect(full.state == .failed && full.attempts == 1)
            #expect(full.message?.contains("cannot be put back into the bucket \"data\"") == true)
            for key in ["b", "c"] { try await cluster.put("x", key, in: "data") }
            let many = try await job(cluster, 2)
            #expect(many.message?.contains("holds more than 1 objects") == true, "\(many.message ?? "")")
            try await cluster.objects.deleteBucket(try BucketName("data"), includingContent: true)
            let gone = try await job(cluster, 3)
            #expect(gone.message == "the mounted bucket \"data\" does not exist; create it again")
            try await cluster.registry.remove(try ServiceName("s"), deletingData: false)
            #expect(try cluster.names(cluster.data.mounts).isEmpty)
        }
    }

    @Test func nobodyMountsWhatTheyMayNotRead() async throws {
        try await ClusterFixture.serve { cluster in
            _ = try await cluster.objects.createBucket(try BucketName("data"), owner: "ada")
            func make(_ owner: String) async throws {
                try await cluster.registry.create(
                    ClusterFixture.definition("s", script: "true", more: Self.mount("data")), owner: owner)
            }
            let error = await #expect(throws: ClusterError.self) { try await make("bob") }
            #expect(error?.code == .forbidden && error?.message.hasPrefix("mount: ") == true)
            try await make("ada")
        }
    }

    @Test func otherStoragesAreRefusedByName() async throws {
        try await ClusterFixture.serve { cluster in
            let more = try JSONValue.parse(
                #"{"mount":{"storage_provider":"webdav.w","path":"x"},"storage_providers":{"webdav":{"w":"#
                    + #"{"hostname":"h.example","login":"l","password":"p"}}}}"#)
            let error = await #expect(throws: ClusterError.self) {
                try await cluster.create("s", script: "true", more: more.objectValue ?? [:])
            }
            #expect(error?.message.contains("mount: this version of Apus does not support mounts of webdav.w") == true)
        }
    }
}
