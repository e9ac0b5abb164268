import Foundation
import Sandboxes
import SystemPackage
import Testing

@Suite(
    .enabled("containers and umoci work on this machine") {
        let hasTools = FileManager.default.isExecutableFile(atPath: "/usr/bin/umoci")
        return await ContainerFixture.reasonAgainst == nil && hasTools
    },
    .timeLimit(.minutes(5))
)
struct ContainerUserTests {
    @Test func userEnvironmentAndDirectoryOfTheImage() async throws {
        try await Subject.container.with { bench in
            let sandbox = try #require(bench.sandbox as? ContainerSandbox)
            let root = try ContainerFixture.rootFileSystem(in: bench.scratch)
            let layout = bench.scratch.path.appending("layout")
            try await shell(
                """
                umoci init --layout '\(layout)' && umoci new --image '\(layout):1' &&
                umoci unpack --image '\(layout):1' '\(bench.scratch.path)/bundle' &&
                cp -a '\(root)/.' '\(bench.scratch.path)/bundle/rootfs/' &&
                umoci repack --image '\(layout):1' '\(bench.scratch.path)/bundle' &&
                umoci config --image '\(layout):1' --config.user user --config.env 'FROM_IMAGE=yes' \
                  --config.env BOTH=image --config.env PATH=/bin:/opt/bin --config.workingdir /work
                """
            )
            try await sandbox.images.add("test/user", from: .file(layout))
            var invocation = try bench.invocation(
                "id -u; pwd; echo $FROM_IMAGE $BOTH $PATH; cat $INPUT_FILE_PATH; echo out > $TMP_OUTPUT_DIR/o; echo t > /tmp/t",
                inputs: ["i": Array("in\n".utf8)]
            )
            invocation.image = "test/user"
            invocation.inputFileName = "i"
            invocation.environment = ["BOTH": "service"]
            let result = try await bench.run(invocation)
            #expect(result.text == "1234\n/work\nyes service /bin:/opt/bin\nin\n", "\(result.errorText)")
            #expect(result.ending == .exited(0))
            #expect(bench.read(invocation.outputDirectory.appending("o")) == Array("out\n".utf8))
        }
    }

    @Test func anImageInUseStays() async throws {
        try await Subject.container.with { bench in
            let sandbox = try #require(bench.sandbox as? ContainerSandbox)
            var invocation = try bench.invocation("echo on; sleep 1000")
            invocation.gracePeriod = .zero
            let (begun, begin) = AsyncStream.makeStream(of: Void.self)
            let task = Task { [invocation] in try await sandbox.run(invocation) { _ in begin.yield() } }
            _ = await begun.first { _ in true }
            let error = await #expect(throws: SandboxError.self) {
                try await sandbox.images.remove(ContainerFixture.image)
            }
            #expect(error?.code == .imageInUse)
            task.cancel()
            _ = await task.result
            try await sandbox.images.remove(ContainerFixture.image)
            #expect(await sandbox.images.list().isEmpty)
        }
    }
}
