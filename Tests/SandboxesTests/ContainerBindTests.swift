import Foundation
import Sandboxes
import SystemPackage
import Testing

/// Directories of the machine that containers see, as volumes are.
@Suite(
    .enabled("containers work on this machine") { await ContainerFixture.reasonAgainst == nil },
    .timeLimit(.minutes(5))
)
struct ContainerBindTests {
    private static let script =
        "cat /data/deep/there; echo new > /data/deep/made; echo no > /ro/x || echo refused; cat /ro/f"

    private static func binds(_ bench: Workbench) throws -> [SandboxBind] {
        let volume = try bench.scratch.directory("volume")
        let fixed = try bench.scratch.directory("fixed")
        try bench.write(Array("kept\n".utf8), volume.appending("there"))
        try bench.write(Array("fixed\n".utf8), fixed.appending("f"))
        return [
            SandboxBind(inside: "/data/deep", outside: volume, isWritable: true),
            SandboxBind(inside: "/ro", outside: fixed, isWritable: false),
        ]
    }

    @Test func anInvocationSeesThem() async throws {
        try await Subject.container.with { bench in
            var invocation = try bench.invocation(Self.script)
            invocation.binds = try Self.binds(bench)
            let result = try await bench.run(invocation)
            #expect(result.text == "kept\nrefused\nfixed\n", "\(result.errorText)")
            #expect(bench.read(invocation.binds[0].outside.appending("made")) == Array("new\n".utf8))
        }
    }

    @Test func anInstanceSeesThem() async throws {
        try await Subject.container.with { bench in
            let binds = try Self.binds(bench)
            try await bench.withInstance(Self.script, change: { $0.binds = binds }) { instance in
                let result = try await bench.run(on: instance)
                #expect(result.text == "kept\nrefused\nfixed\n", "\(result.errorText)")
                #expect(bench.read(binds[0].outside.appending("made")) == Array("new\n".utf8))
            }
        }
    }
}
