import Foundation
import Model
import NIOCore
import NIOPosix
import Sandboxes
import Synchronization
import SystemPackage
import TestKit
import Testing

/// What instances in mode server promise, in every sandbox.
@Suite(.timeLimit(.minutes(5)))
struct ServerInstanceTests {
    /// Serves the files of its home.
    static let web =
        "cd \"$HOME\"; printf 'port %s' \"$PORT\" > index.html; exec busybox httpd -f -p \"$PORT\" -h \"$HOME\""
    /// Sends back what comes.
    static let echo = "exec busybox nc -ll -p \"$PORT\" -e cat"

    /// Sends the bytes and the end, and returns all that comes back.
    private static func exchange(_ bytes: [UInt8], over path: FilePath?) async throws -> [UInt8] {
        let path = try #require(path)
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: [UInt8].self)
        let channel: any Channel
        do {
            channel = try await ClientBootstrap(group: loop)
                .channelOption(.allowRemoteHalfClosure, value: true)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Collector(promise))
                    }
                }
                .connect(unixDomainSocketPath: path.string).get()
        } catch {
            promise.fail(error)
            throw error
        }
        try? await channel.writeAndFlush(ByteBuffer(bytes: bytes))  // what comes back tells whether it arrived
        try? await channel.close(mode: .output)  // the other side may have closed it by now
        return try await promise.futureResult.get()
    }

    static func get(_ target: String, over path: FilePath?) async throws -> String {
        let answer = try await exchange(Array("GET \(target) HTTP/1.0\r\n\r\n".utf8), over: path)
        return String(decoding: answer, as: UTF8.self)
    }

    @Test(arguments: await Subject.usable())
    func thePortIsReached(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance(Self.web) {
                $0.mode = .server(port: 8080)
            } _: { instance in
                let answers = try await withThrowingTaskGroup(of: String.self) { group in
                    for _ in 0..<20 { group.addTask { try await Self.get("/index.html", over: instance.serverSocket) } }
                    return try await group.reduce(into: []) { $0.append($1) }
                }
                let isOwn = subject == .container || subject == .containerOfRunc
                for answer in answers {
                    #expect(answer.contains("200 OK"))
                    let port = answer.components(separatedBy: "port ").last.flatMap { Int($0) } ?? 0
                    #expect(isOwn ? port == 8080 : port > 0 && port != 8080)
                }
            }
        }
    }

    @Test(arguments: await Subject.usable(), [0, 1, 70_000, 5_000_000])
    func allBytesGoBothWays(_ subject: Subject, count: Int) async throws {
        let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 8) }
        try await subject.with { bench in
            try await bench.withInstance(Self.echo) {
                $0.mode = .server(port: 8080)
            } _: { instance in
                for _ in 0..<2 {
                    let answer = try await Self.exchange(bytes, over: instance.serverSocket)
                    #expect(answer == bytes)
                }
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func programThatNeverAnswers(_ subject: Subject) async throws {
        try await subject.with { bench in
            let error = await #expect(throws: SandboxError.self) {
                try await bench.withInstance("sleep 0.2; exit 3") {
                    $0.mode = .server(port: 8080)
                } _: { _ in
                }
            }
            #expect(error?.code == .startFailed)
            #expect(error?.message.contains("exited(3)") == true)
            let start = Task {
                try await bench.withInstance("sleep 1000") {
                    $0.mode = .server(port: 8080)
                } _: { _ in
                }
            }
            start.cancel()
            let cancelled = await #expect(throws: SandboxError.self) { try await start.value }
            #expect(cancelled?.code == .cancelled)
        }
    }

    @Test(arguments: await Subject.usable())
    func filesForARequest(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance("mkdir \"$HOME/w\"; exec busybox httpd -f -p \"$PORT\" -h /") {
                $0.mode = .server(port: 8080)
            } _: { instance in
                let invocation = try bench.invocation("", inputs: ["in": Array("content".utf8)])
                let answer = try await instance.withFiles(of: invocation) { places in
                    try await Self.get("\(places.input)/in", over: instance.serverSocket)
                }
                #expect(answer.hasSuffix("content"))
                #expect(bench.read(invocation.inputDirectory.appending("in")) == Array("content".utf8))
            }
        }
    }

    @Test
    func pathsThatAreLongerThanAddresses() async throws {
        try await Subject.process.with { bench in
            let deep = try bench.scratch.directory(String(repeating: "long-name-of-a-directory/", count: 10) + "x")
            try await bench.withInstance(Self.web) {
                ($0.mode, $0.directory) = (.server(port: 80), deep)
            } _: { instance in
                let answer = try await Self.get("/index.html", over: instance.serverSocket)
                #expect(answer.contains("200 OK"))
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func theEndOfTheProgram(_ subject: Subject) async throws {
        let log = Collected()
        try await subject.with { bench in
            try await bench.withInstance("echo to the log; (sleep 1; exit 0); \(Self.echo) & sleep 1; exit 6", log: log)
            {
                $0.mode = .server(port: 8080)
            } _: { instance in
                #expect(await instance.waitForEnd() == .exited(6))
                await #expect(throws: (any Error).self) { try await Self.exchange([1], over: instance.serverSocket) }
            }
        }
        #expect(log.text(.standardOutput) == "to the log\n")
    }
}

/// Keeps what comes until the end.
private final class Collector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let promise: EventLoopPromise<[UInt8]>
    private var bytes: [UInt8] = []

    init(_ promise: EventLoopPromise<[UInt8]>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        bytes += Array(unwrapInboundIn(data).readableBytesView)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard let event = event as? ChannelEvent, event == .inputClosed else { return }
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) { promise.succeed(bytes) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { promise.fail(error) }
}
