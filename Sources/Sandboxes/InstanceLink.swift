import Glibc
import InitWire
import Model
import NIOCore
import NIOPosix
import Synchronization

/// The connection to the first process of an instance.
final class InstanceLink: Sendable {
    let eventLoop: any EventLoop
    /// When the instance's first process is there.
    let ready: EventLoopFuture<Void>
    /// When its program was started, or answers; the port that it was given.
    let booted: EventLoopFuture<Int>

    private let readyPromise: EventLoopPromise<Void>
    private let bootedPromise: EventLoopPromise<Int>
    private let handler: NIOLoopBound<ControlHandler>
    private let count = Atomic<UInt32>(0)

    /// Takes the one connection at that door, whenever it comes.
    ///
    /// - Throws: `.startFailed`.
    init(_ door: InstanceDoor) async throws(SandboxError) {
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        eventLoop = loop
        readyPromise = loop.makePromise()
        bootedPromise = loop.makePromise()
        ready = readyPromise.futureResult
        booted = bootedPromise.futureResult
        let (readyPromise, bootedPromise) = (readyPromise, bootedPromise)
        do {
            handler = try await loop.submit {
                NIOLoopBound(ControlHandler(ready: readyPromise, booted: bootedPromise), eventLoop: loop)
            }.get()
            let handler = handler
            let server = try await ServerBootstrap(group: loop)
                .childChannelOption(.allowRemoteHalfClosure, value: false)
                .childChannelInitializer { channel in
                    door.hide()
                    return channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(handler.value)
                    }
                }
                .withBoundSocket(door.descriptor).get()
            readyPromise.futureResult.whenComplete { _ in server.close(promise: nil) }
        } catch {
            readyPromise.fail(error)
            bootedPromise.fail(error)
            throw SandboxError(.startFailed, "the instance's socket could not be used: \(error)", cause: error)
        }
    }

    /// The last thing that happens: there is no instance any more.
    func close(_ error: SandboxError) {
        eventLoop.execute { [handler] in handler.value.close(error) }
    }

    /// Called on the event loop when the connection ends, with what was wrong with it if anything was.
    func whenLost(_ body: @escaping @Sendable (InitFrameDecoder.Malformation?) -> Void) {
        eventLoop.execute { [handler] in handler.value.whenLost(body) }
    }

    /// Calls the body unless the instance is ending by itself, so that the reason of that is not lost.
    func unlessEnding(_ body: @escaping @Sendable () -> Void) {
        eventLoop.execute { [handler] in if !handler.value.isEnding { body() } }
    }

    /// A number for the next execution.
    func nextID() -> UInt32 { count.add(1, ordering: .relaxed).newValue }

    /// Sends an order for an execution.
    ///
    /// - Parameter limit: how long its end is waited for, after which the instance is taken for lost.
    func begin(_ feed: ExecutionFeed, _ order: InitFrame.Execution, limit: Duration?) {
        let bytes = InitFrame.execute(order).bytes
        if eventLoop.inEventLoop { return handler.value.begin(feed, bytes, limit: limit) }
        eventLoop.execute { [handler] in handler.value.begin(feed, bytes, limit: limit) }
    }

    /// Hands the output of an execution over, and returns what comes last.
    func end(
        of feed: ExecutionFeed,
        _ output: @Sendable (SandboxOutput) async -> Void
    ) async -> ExecutionFeed.Event {
        while true {
            let events = await feed.next()
            if feed.takeStall() { resume() }
            for event in events {
                guard case .output(let piece) = event else { return event }
                await output(piece)
            }
        }
    }

    /// Sends the order to start the instance's program, and gives away the descriptors that belong to it.
    func boot(_ frame: InitFrame, with descriptors: [Int32]) {
        let bytes = frame.bytes
        eventLoop.execute { [handler] in handler.value.boot(bytes, descriptors) }
    }

    /// Asks for the end of an execution, which then comes as always.
    func cancel(_ id: UInt32, limit: Duration) {
        let bytes = InitFrame.cancel(id: id).bytes
        eventLoop.execute { [handler] in handler.value.cancel(id, bytes, limit: limit) }
    }

    /// Goes on reading, which had stopped because too much waited to be taken.
    func resume() {
        eventLoop.execute { [handler] in handler.value.resume() }
    }
}

/// Frames of one connection; on its event loop.
final class ControlHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let ready: EventLoopPromise<Void>
    private let booted: EventLoopPromise<Int>
    private var decoder = InitFrameDecoder(limit: InitFrameDecoder.longestAnswer)
    private var context: ChannelHandlerContext?
    private var feed: ExecutionFeed?
    private var overdue: Scheduled<Void>?
    private var wantsToRead = false
    private var isOver = false
    private var malformation: InitFrameDecoder.Malformation?
    private var lostCalls: [@Sendable (InitFrameDecoder.Malformation?) -> Void] = []
    /// The instance's program has ended, and so will its first process.
    private(set) var isEnding = false

    init(ready: EventLoopPromise<Void>, booted: EventLoopPromise<Int>) {
        (self.ready, self.booted) = (ready, booted)
    }

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func read(context: ChannelHandlerContext) {
        if feed?.stall() == true { wantsToRead = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        unwrapInboundIn(data).withUnsafeReadableBytes { decoder.feed($0) }
        do throws(InitFrameDecoder.Malformation) {
            while let frame = try decoder.next() { try take(frame) }
        } catch {
            // Only a program that took the place of ours says such things.
            malformation = error
            context.close(promise: nil)
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        feed?.deliver()
        if feed?.isOver == true { feed = nil }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        end()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private func take(_ frame: InitFrame) throws(InitFrameDecoder.Malformation) {
        switch frame {
        case .ready(let version):
            guard version == InitFrame.version else { throw .malformed }
            ready.succeed(())
        case .output(let id, let stream, let bytes):
            guard id == feed?.id, !bytes.isEmpty else { return }
            feed?.add(
                .output(SandboxOutput(stream: stream == .output ? .standardOutput : .standardError, bytes: bytes)))
        case .ended(let id, let end): finish(id, .ended(end))
        case .refused(let id, let message): finish(id, .refused(message))
        case .booted(let port): booted.succeed(Int(port))
        case .programEnded: isEnding = true
        case .execute, .cancel, .boot: throw .malformed
        }
    }

    private func finish(_ id: UInt32, _ event: ExecutionFeed.Event) {
        guard id == feed?.id else { return }
        overdue?.cancel()
        overdue = nil
        feed?.add(event)
    }

    // MARK: Orders

    func begin(_ feed: ExecutionFeed, _ bytes: [UInt8], limit: Duration?) {
        guard let context, !isOver else {
            feed.add(.lost)
            return feed.deliver()
        }
        self.feed = feed
        expect(within: limit)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    /// The descriptors travel with the first byte, which nothing stands before: this is the first order of an instance.
    func boot(_ bytes: [UInt8], _ descriptors: [Int32]) {
        defer { for descriptor in descriptors { Glibc.close(descriptor) } }
        guard let context, let first = bytes.first else { return }
        // Every connection over a Unix socket has a descriptor.
        let sent = try? context.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) {
            DescriptorMessage.send(first, descriptors, over: $0)
        }
        guard sent == true else { return context.close(promise: nil) }
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes.dropFirst())), promise: nil)
    }

    func cancel(_ id: UInt32, _ bytes: [UInt8], limit: Duration) {
        guard let context, id == feed?.id else { return }
        expect(within: limit)
        context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: bytes)), promise: nil)
    }

    func resume() {
        guard wantsToRead, let context else { return }
        wantsToRead = false
        context.read()
    }

    /// The first process keeps the time itself; where it does not, it is not what it was.
    private func expect(within limit: Duration?) {
        overdue?.cancel()
        overdue = nil
        guard let limit, let context else { return }
        let channel = context.channel
        overdue = context.eventLoop.scheduleTask(in: TimeAmount(limit)) { channel.close(promise: nil) }
    }

    // MARK: The end

    func whenLost(_ body: @escaping @Sendable (InitFrameDecoder.Malformation?) -> Void) {
        if isOver { body(malformation) } else { lostCalls.append(body) }
    }

    func close(_ error: SandboxError) {
        ready.fail(error)
        booted.fail(error)
        context?.close(promise: nil)
        end()
    }

    private func end() {
        guard !isOver else { return }
        (isOver, isEnding) = (true, true)
        overdue?.cancel()
        feed?.add(.lost)
        feed?.deliver()
        feed = nil
        for call in lostCalls { call(malformation) }
        lostCalls = []
    }
}

/// Descriptors on their way to another process (unix(7), SCM_RIGHTS).
enum DescriptorMessage {
    /// Sends one byte and the descriptors with it.
    static func send(_ byte: UInt8, _ descriptors: [Int32], over socket: Int32) -> Bool {
        // A header of 16 bytes and the numbers, rounded up to words (cmsg(3), 64 bit).
        let length = 16 + 4 * descriptors.count
        let space = (length + 7) & ~7
        return withUnsafeTemporaryAllocation(byteCount: space, alignment: 8) { control in
            control.initializeMemory(as: UInt8.self, repeating: 0)
            control.storeBytes(of: length, as: Int.self)
            control.storeBytes(of: SOL_SOCKET, toByteOffset: 8, as: Int32.self)
            control.storeBytes(of: Int32(SCM_RIGHTS), toByteOffset: 12, as: Int32.self)
            for (index, descriptor) in descriptors.enumerated() {
                control.storeBytes(of: descriptor, toByteOffset: 16 + 4 * index, as: Int32.self)
            }
            var byte = byte
            return withUnsafeMutablePointer(to: &byte) { pointer in
                var piece = iovec(iov_base: pointer, iov_len: 1)
                return withUnsafeMutablePointer(to: &piece) { pieces in
                    var message = msghdr()
                    message.msg_iov = pieces
                    message.msg_iovlen = 1
                    message.msg_control = control.baseAddress
                    message.msg_controllen = space
                    return sendmsg(socket, &message, Int32(MSG_NOSIGNAL)) == 1
                }
            }
        }
    }
}
