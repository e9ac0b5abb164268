import NIOCore
import NIOHTTP1
import NIOPosix
import ObjectEngine

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// Sends what an answer of HTTP types cannot say: ranges of files, for the kernel to copy to the socket, and that the
/// client may go on.
///
/// Stands between the codec of HTTP types and the encoder. What is to be sent comes as events, in order with the parts
/// of the answer.
final class OutboundEvents: ChannelOutboundHandler, RemovableChannelHandler {
    typealias OutboundIn = HTTPServerResponsePart
    typealias OutboundOut = HTTPServerResponsePart

    /// A piece of the body; the promise is kept when all was handed to the kernel.
    private struct SendFile: Sendable {
        let region: FileRegion
    }

    /// `100 Continue` (RFC 9110, section 10.1.1).
    private struct Continue: Sendable {}

    /// The client waits for it before it sends its body.
    private struct AwaitsContinue: Sendable {}

    /// What is read of a file at once, in bytes, where the kernel cannot send it.
    private static let readSize = 256 << 10

    private let readsFiles: Bool
    private var isAwaited = false

    /// - Parameter readsFiles: whether files are to be read into memory, piece by piece: what is encrypted cannot go from file
    ///   to socket.
    init(readsFiles: Bool = false) { self.readsFiles = readsFiles }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard isAwaited, case .head(var head) = unwrapOutboundIn(data) else {
            return context.write(data, promise: promise)
        }
        isAwaited = false
        // Said, too: else the client may send its next request on a connection that is about to end.
        head.headers.replaceOrAdd(name: "connection", value: "close")
        context.write(wrapOutboundOut(.head(head)), promise: promise)
    }

    func triggerUserOutboundEvent(context: ChannelHandlerContext, event: Any, promise: EventLoopPromise<Void>?) {
        switch event {
        case let send as SendFile where readsFiles:
            sendPiece(of: send.region, context, promise)
        case let send as SendFile:
            context.writeAndFlush(wrapOutboundOut(.body(.fileRegion(send.region))), promise: promise)
        case is AwaitsContinue:
            isAwaited = true
            promise?.succeed()
        case is Continue:
            isAwaited = false
            let head = HTTPResponseHead(version: .http1_1, status: .continue)
            context.writeAndFlush(wrapOutboundOut(.head(head)), promise: promise)
        default: context.triggerUserOutboundEvent(event, promise: promise)
        }
    }

    /// Reads and sends a piece, and then what comes after it.
    private func sendPiece(of region: FileRegion, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?)
    {
        guard region.readableBytes > 0 else {
            promise?.succeed()
            return
        }
        let size = min(region.readableBytes, Self.readSize)
        let context = NIOLoopBound(context, eventLoop: context.eventLoop)
        let me = NIOLoopBound(self, eventLoop: context.value.eventLoop)
        let read = NIOThreadPool.singleton.runIfActive(eventLoop: context.value.eventLoop) {
            try Self.read(region, size)
        }
        read.flatMap { bytes in
            context.value.writeAndFlush(me.value.wrapOutboundOut(.body(.byteBuffer(bytes))))
        }.whenComplete { result in
            switch result {
            case .failure(let error): promise?.fail(error)
            case .success:
                var rest = region
                rest.moveReaderIndex(forwardBy: size)
                me.value.sendPiece(of: rest, context.value, promise)
            }
        }
    }

    /// Blocks.
    private static func read(_ region: FileRegion, _ size: Int) throws -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: size)
        try region.fileHandle.withUnsafeFileDescriptor { descriptor in
            while buffer.readableBytes < size {
                let offset = off_t(region.readerIndex + buffer.readableBytes)
                let missing = size - buffer.readableBytes
                let count = buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: missing) { room in
                    max(0, pread(descriptor, room.baseAddress, min(room.count, missing), offset))
                }
                // A file that has become shorter, or cannot be read: the answer breaks off.
                guard count > 0 else { throw IOError(errnoCode: errno == 0 ? EIO : errno, reason: "pread") }
            }
        }
        return buffer
    }

    /// Sends a region; returns when all of it was handed to the kernel.
    ///
    /// The head of the answer must have been written.
    static func send(_ region: ContentRegion, on channel: any Channel) async throws {
        try await region.withDescriptor { descriptor in
            // Given back below: whose file it is closes it.
            let handle = NIOFileHandle(_deprecatedTakingOwnershipOfDescriptor: descriptor)
            defer { _ = try? handle.takeDescriptorOwnership() }
            let region = FileRegion(
                fileHandle: handle,
                readerIndex: Int(region.range.lowerBound),
                endIndex: Int(region.range.upperBound)
            )
            try await channel.triggerUserOutboundEvent(SendFile(region: region)).get()
        }
    }

    /// Says that the client waits for leave to send its body: an answer without that ends the connection.
    static func awaitContinue(on channel: any Channel) async throws {
        try await channel.triggerUserOutboundEvent(AwaitsContinue()).get()
    }

    /// Tells the client that it may send its body.
    static func sendContinue(on channel: any Channel) async throws {
        try await channel.triggerUserOutboundEvent(Continue()).get()
    }
}
