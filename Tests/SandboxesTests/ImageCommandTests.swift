import Foundation
import SystemPackage
import TestKit
import Testing

@testable import Sandboxes

/// Instances whose program is the image's own command.
@Suite(
    .enabled("containers and umoci work on this machine") {
        let hasTools = FileManager.default.isExecutableFile(atPath: "/usr/bin/umoci")
        return await ContainerFixture.reasonAgainst == nil && hasTools
    },
    .timeLimit(.minutes(5))
)
struct ImageCommandTests {
    /// Tells who it is and what it was given, over HTTP on port 80.
    private static let program = """
        #!/bin/sh
        mkdir /tmp/web
        echo "$(id -u) $(pwd) $FROM_IMAGE $BOTH $PORT $0 $#:$*" > /tmp/web/index.html
        exec busybox httpd -f -p 80 -h /tmp/web
        """

    /// Adds an image of busybox and that program, with that configuration.
    private func add(_ name: String, _ configuration: String, _ bench: Workbench) async throws {
        let sandbox = try #require(bench.sandbox as? ContainerSandbox)
        let root = try ContainerFixture.rootFileSystem(in: bench.scratch)
        let layout = bench.scratch.path.appending("layout")
        try await shell(
            """
            umoci init --layout '\(layout)' && umoci new --image '\(layout):1' &&
            umoci unpack --image '\(layout):1' '\(bench.scratch.path)/bundle' &&
            cp -a '\(root)/.' '\(bench.scratch.path)/bundle/rootfs/' && cd '\(bench.scratch.path)/bundle/rootfs' &&
            mkdir -p opt/bin && cat > opt/bin/serve << 'END' && chmod 755 opt/bin/serve &&
            \(Self.program)
            END
            umoci repack --image '\(layout):1' '\(bench.scratch.path)/bundle' &&
            umoci config --image '\(layout):1' --config.env PATH=/bin:/opt/bin \(configuration)
            """
        )
        try await sandbox.images.add(name, from: .file(layout))
    }

    @Test func entryPointArgumentsUserAndDirectory() async throws {
        try await Subject.container.with { bench in
            try await add(
                "test/serve",
                "--config.user user --config.workingdir /work --config.env FROM_IMAGE=yes --config.env BOTH=image "
                    + "--config.entrypoint serve --config.entrypoint one --config.cmd 'two words'",
                bench)
            try await bench.withInstance("exit 1") {
                ($0.image, $0.mode, $0.runsImageCommand) = ("test/serve", .server(port: 80), true)
                $0.environment = ["BOTH": "service"]
            } _: { instance in
                let path = try #require(instance.serverSocket)
                let answer = try await ServerInstanceTests.get("/index.html", over: path)
                #expect(answer.hasSuffix("1234 /work yes service 80 /opt/bin/serve 2:one two words\n"), "\(answer)")
            }
        }
    }

    @Test func commandWithoutEntryPoint() async throws {
        try await Subject.container.with { bench in
            try await add("test/serve", "--config.cmd ../opt/bin/serve --config.workingdir /work", bench)
            try await bench.withInstance("") {
                ($0.image, $0.mode, $0.runsImageCommand) = ("test/serve", .server(port: 80), true)
            } _: { instance in
                let path = try #require(instance.serverSocket)
                let answer = try await ServerInstanceTests.get("/index.html", over: path)
                #expect(answer.hasSuffix("0 /work   80 ../opt/bin/serve 0:\n"), "\(answer)")
            }
        }
    }

    @Test func commandThatIsNotThere() async throws {
        try await Subject.container.with { bench in
            try await add("test/serve", "--config.entrypoint missing", bench)
            let log = Collected()
            let error = await #expect(throws: SandboxError.self) {
                try await bench.withInstance("", log: log) {
                    ($0.image, $0.mode, $0.runsImageCommand) = ("test/serve", .server(port: 80), true)
                } _: { _ in
                }
            }
            #expect(error?.code == .startFailed)
            #expect(log.text(.standardError).contains("missing cannot be executed"), "\(log.text(.standardError))")
        }
    }

    @Test func imageWithoutCommand() async throws {
        try await Subject.container.with { bench in
            let error = await #expect(throws: SandboxError.self) {
                try await bench.withInstance("") {
                    ($0.mode, $0.runsImageCommand) = (.server(port: 80), true)
                } _: { _ in
                }
            }
            #expect(error?.code == .invalid && error?.message.contains("has no command of its own") == true)
            let requirements = SandboxRequirements(image: ContainerFixture.image, runsImageCommand: true)
            await #expect(throws: SandboxError.self) { try await bench.sandbox.check(requirements) }
        }
    }

    /// An image that was unpacked before anybody asked for commands: the error says what to do, and doing it helps.
    @Test func imageOfAnOlderApus() async throws {
        try await Subject.container.with { bench in
            try await add("test/serve", "--config.entrypoint serve", bench)
            let index = bench.scratch.path.appending("images/images.json")
            let text = try String(contentsOfFile: index.string, encoding: .utf8)
            let older = text.replacingOccurrences(of: "\"command\"", with: "\"other\"")
            try Data(older.utf8).write(to: URL(fileURLWithPath: index.string))
            let images = try await ImageStore.open(at: bench.scratch.path.appending("images"))
            let stored = try #require(await images.image("test/serve"))
            #expect(stored.defaults.command == nil)
            let error = #expect(throws: SandboxError.self) { try ContainerSandbox.command(of: stored) }
            #expect(error?.message.contains("apus image add test/serve") == true)
            let again = try await images.add(
                "test/serve", from: .file(bench.scratch.path.appending("layout")), refresh: true)
            #expect(again.defaults.command == ["serve"])
        }
    }

    @Test func processesHaveNoImage() async throws {
        try await Subject.process.with { bench in
            let error = await #expect(throws: SandboxError.self) {
                try await bench.withInstance("") {
                    ($0.mode, $0.runsImageCommand) = (.server(port: 80), true)
                } _: { _ in
                }
            }
            #expect(error?.code == .invalid)
        }
    }
}
