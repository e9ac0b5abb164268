import InitWire
import NIOCore
import NIOPosix
import SystemPackage
import TestKit
import Testing

@testable import Sandboxes

/// What comes over the control socket is not to be trusted: whoever runs in a sandbox may have taken the place of its first
/// process.
@Suite(.timeLimit(.minutes(1)))
struct InstanceLinkTests {
    /// A connection of a first process that sends those bytes.
    private func withLink(
        _ bytes: [UInt8],
        _ body: (InstanceLink, AsyncStream<InitFrameDecoder.Malformation?>) async throws -> Void
    ) async throws {
        let scratch = try Scratch()
        let directory = scratch.path.appending("control")
        let link = try await InstanceLink(InstanceDoor(in: directory))
        let (ends, tell) = AsyncStream.makeStream(of: InitFrameDecoder.Malformation?.self)
        link.whenLost { tell.yield($0) }
        let client = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connect(unixDomainSocketPath: directory.appending(InstanceDoor.name).string).get()
        try await client.writeAndFlush(ByteBuffer(bytes: bytes))
        try await body(link, ends)
        try? await client.close()  // the other side may have closed it
        link.close(SandboxError(.startFailed, "the end"))
        _ = try? await (link.ready.get(), link.booted.get())
    }

    @Test(
        arguments: [
            [255, 255, 255, 255], [0, 0, 0, 0], [1, 0, 0, 0, 77], InitFrame.ready(version: InitFrame.version + 1).bytes,
            InitFrame.cancel(id: 1).bytes,
            InitFrame.execute(InitFrame.Execution(id: 1, arguments: [], environment: [], directory: "")).bytes,
            InitFrame.output(id: 1, stream: .output, bytes: [UInt8](repeating: 0, count: 200_000)).bytes,
        ]
    )
    func malformedFrames(_ bytes: [UInt8]) async throws {
        try await withLink(bytes) { _, ends in
            var iterator = ends.makeAsyncIterator()
            let malformation = await iterator.next()
            #expect(malformation != nil && malformation != .some(nil))
        }
    }

    @Test
    func framesThatNobodyWaitsFor() async throws {
        let frames: [InitFrame] = [
            .ready(version: InitFrame.version), .output(id: 7, stream: .error, bytes: [1]),
            .ended(id: 7, InitFrame.End(code: 0, isSignal: false)), .refused(id: 9, message: "no"),
            .ready(version: InitFrame.version),
            .output(id: 1, stream: .output, bytes: []),
        ]
        try await withLink(frames.flatMap(\.bytes)) { link, _ in
            try await link.ready.get()
            let order = InitFrame.Execution(id: link.nextID(), arguments: ["/x"], environment: [], directory: "/")
            let feed = ExecutionFeed(id: order.id)
            link.begin(feed, order, limit: .milliseconds(50))
            // Nothing answers, so that the limit ends it.
            guard case .lost? = await feed.next().last else {
                Issue.record("an execution ended that nobody ran")
                return
            }
        }
    }

    @Test(arguments: [Subject.process, .processWithoutControlGroups])
    func theEndOfApusIsTheEndOfAll(_ subject: Subject) async throws {
        let seconds = unusualSeconds()
        try await subject.with { bench in
            try await bench.withInstance("setsid sleep \(seconds) & echo on; trap '' TERM; sleep \(seconds)") {
                instance in
                let invocation = try bench.invocation("")
                let (begun, begin) = AsyncStream.makeStream(of: Void.self)
                let task = Task { [invocation] in try await instance.run(invocation) { _ in begin.yield() } }
                _ = await begun.first { _ in true }
                // As the kernel does for an Apus that is killed.
                instance.link.close(SandboxError(.instanceLost, "gone"))
                let end = await instance.waitForEnd()
                #expect(end == .exited(0))
                #expect(processes(with: seconds) == [])
                let error = await #expect(throws: SandboxError.self) { _ = try await task.value }
                #expect(error?.code == .instanceLost)
            }
        }
    }
}
