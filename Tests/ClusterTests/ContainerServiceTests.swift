import ClusterTesting
import Glibc
import LoopbackServer
import Model
import Sandboxes
import Scheduling
import Subprocess
import SystemPackage
import TestKit
import Testing

@testable import Cluster

/// Services in containers, in a whole cluster.
@Suite(
    "Services in containers", .serialized, .timeLimit(.minutes(3)),
    .enabled("containers, umoci, curl and a static busybox work on this machine") { await TestImage.isUsable })
struct ContainerServiceTests {
    private func withCluster(
        command: [String],
        _ body: @escaping @Sendable (ClusterFixture) async throws -> Void
    ) async throws {
        var options = ClusterFixture.Options()
        (options.hasContainers, options.runsAllAsProcesses) = (true, false)
        try await TemporaryFolder.with { folder in
            let image = try await TestImage.make(in: folder, command: command)
            try await ClusterFixture.serve(at: folder.appending("data"), options) { [options] cluster in
                #expect(options.hasContainers)
                _ = try await cluster.images.add(from: image.string, name: TestImage.name, progress: { _ in })
                try await body(cluster)
            }
            #expect(try Folder.entries(folder.appending("data/instances")).isEmpty)
        }
    }

    private static func exposed(_ more: JSONObject = [:]) -> JSONObject {
        var members: JSONObject = [
            "sandbox": .string("container"), "image": .string(TestImage.name),
            "expose": .object(["api_port": .integer(80), "default_command": .bool(true)]),
        ]
        for (key, value) in more.members { members[key] = value }
        return members
    }

    @Test("the image's own command is what an exposed service runs that says default_command")
    func defaultCommand() async throws {
        try await withCluster(command: ["httpd", "-f", "-p", "80", "-h", "/web"]) { cluster in
            try await cluster.create("s", script: "", more: Self.exposed())
            let name = try ServiceName("s")
            _ = try await eventually("it is there", state: { "\(cluster.scheduler.instances.logs.last(10, of: name))" })
            {
                cluster.scheduler.instanceState(of: name).ready == 1 ? true : nil
            }
            let desk = InstanceDesk(scheduler: cluster.scheduler, catalog: cluster.catalog, registry: cluster.registry)
            let seat = try await desk.servers.enter(name)
            defer { seat.leave() }
            let answer = try await Subprocess.run(
                .name("curl"), arguments: ["--silent", "--unix-socket", "\(seat.socket)", "http://page/who"],
                input: .none, output: .string(limit: 1 << 16), error: .discarded)
            #expect(answer.standardOutput == "the image's own page\n", "\(answer)")
        }
    }

    @Test("an image without a command is refused when the service is made")
    func noCommand() async throws {
        try await withCluster(command: []) { cluster in
            let error = await #expect(throws: ClusterError.self) {
                try await cluster.create("s", script: "", more: Self.exposed())
            }
            #expect(error?.code == .invalid && error?.message.contains("has no command of its own") == true)
            #expect(cluster.catalog.all.isEmpty)
        }
    }
}

/// Where the operator runs everything as processes, there is no image whose command could be run.
@Test func defaultCommandWithoutContainers() async throws {
    try await ClusterFixture.serve { cluster in
        let error = await #expect(throws: ClusterError.self) {
            try await cluster.create(
                "s", script: "",
                more: [
                    "sandbox": .string("container"), "image": .string("any"),
                    "expose": .object(["api_port": .integer(80), "default_command": .bool(true)]),
                ])
        }
        #expect(
            error?.code == .invalid && error?.message.contains("expose.default_command") == true)
    }
}

/// An image of busybox, made without any network.
enum TestImage {
    static let name = "test/web:1"

    static var isUsable: Bool {
        get async { await check.value }
    }

    private static let check = Task<Bool, Never> {
        let programs = ["/bin/busybox", "/usr/bin/umoci", "/usr/bin/skopeo", "/usr/bin/curl"]
        guard programs.allSatisfy({ access($0, X_OK) == 0 }) else { return false }
        let result = try? await TemporaryFolder.with { folder in
            let images = try await ImageStore.open(at: folder.appending("images"))
            let settings = ContainerSandbox.Settings(dataDirectory: folder, network: .none)
            await (try await ContainerSandbox.open(settings, images: images)).shutDown()
            return true
        }
        return result ?? false
    }

    /// An OCI layout.
    static func make(in folder: FilePath, command: [String]) async throws -> FilePath {
        let layout = folder.appending("layout")
        let words = command.map { "--config.cmd '\($0)'" }.joined(separator: " ")
        let clear = command.isEmpty ? "--clear=config.cmd" : "--config.entrypoint busybox \(words)"
        let text = """
            set -e; cd '\(folder)'; umoci init --layout layout; umoci new --image layout:1
            umoci unpack --image layout:1 bundle; cd bundle/rootfs; mkdir -p bin etc root web; cp /bin/busybox bin/
            for name in sh cat sleep; do ln -s busybox bin/$name; done
            echo "the image's own page" > web/who
            cd ../..; umoci repack --image layout:1 bundle; umoci config --image layout:1 --config.env PATH=/bin \(clear)
            """
        let result = try await Subprocess.run(
            .path("/bin/sh"), arguments: ["-c", text], input: .none, output: .discarded, error: .string(limit: 1 << 16))
        guard result.terminationStatus.isSuccess else { throw ImageError(text: result.standardError) }
        return layout
    }

    struct ImageError: Error { var text: String? }
}
