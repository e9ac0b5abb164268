import Glibc
import Model
import NIOCore
import NIOPosix
import SystemPackage

/// The standard input and output of a resident program; all of it on the event loop of its instance.
final class ResidentHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// The longest line that is an answer; more than this belongs into a file.
    static let longestLine = 16 << 20

    /// A call that waits for its answer.
    private struct Call {
        var promise: EventLoopPromise<ResidentAnswer>
        var slot: CallSlot?
        var deadline: NIODeadline
    }

    private let specification: InstanceSpecification
    private let exchange: InstanceExchange
    private let log: ExecutionFeed
    /// Ends the instance.
    private let abandon: @Sendable () -> Void
    private var context: ChannelHandlerContext?
    private var isOver = false
    private var count: UInt64 = 0
    private var calls: [UInt64: Call] = [:]
    private var freeSlots: [CallSlot] = []
    private var slotCount = 0
    private var takenCount = 0
    /// The beginning of a line whose end has not arrived.
    private var beginning = ByteBuffer()
    /// Of a line that is too long, until its end.
    private var isSkipping = false
    private var willFlush = false
    private var watch: (time: NIODeadline, task: Scheduled<Void>)?
    private var batch: [(id: UInt64, call: [UInt8])] = []
    private var batchTask: Scheduled<Void>?

    init(
        _ specification: InstanceSpecification,
        _ exchange: InstanceExchange,
        log: ExecutionFeed,
        abandon: @escaping @Sendable () -> Void
    ) {
        (self.specification, self.exchange) = (specification, exchange)
        (self.log, self.abandon) = (log, abandon)
    }

    /// How many calls wait for their answers.
    var outstanding: Int { calls.count }

    // MARK: Calls

    /// A small call by one of the slots.
    func call(_ body: ByteBuffer, timeout: Duration?, _ promise: EventLoopPromise<ResidentAnswer>) {
        guard context != nil else { return promise.fail(Self.lost) }
        do {
            let slot = try freeSlots.popLast() ?? makeSlot()
            do { try slot.write(body) } catch {
                freeSlots.append(slot)
                throw error
            }
            let id = begin(Call(promise: promise, slot: slot, deadline: deadline(timeout)))
            var line: [UInt8] = []
            line.reserveCapacity(slot.line.beginning.count + slot.line.end.count + 20)
            line += slot.line.beginning
            ResidentRequest.append(id, to: &line)
            line += slot.line.end
            send(line)
        } catch {
            promise.fail(
                error as? SandboxError
                    ?? SandboxError(.startFailed, "the input of a call could not be written: \(error)", cause: error))
        }
    }

    private func makeSlot() throws -> CallSlot {
        guard slotCount < max(1, specification.concurrency) else {
            throw SandboxError(.invalid, "the instance \(specification.id) has no room for another call")
        }
        slotCount += 1
        do { return try CallSlot(number: slotCount, in: exchange) } catch {
            slotCount -= 1
            throw error
        }
    }

    /// A call whose files are in place; with others, where the specification says so.
    func call(
        _ places: (beginning: [UInt8], end: [UInt8]),
        timeout: Duration?,
        _ promise: EventLoopPromise<ResidentAnswer>
    ) {
        guard context != nil else { return promise.fail(Self.lost) }
        let id = begin(Call(promise: promise, slot: nil, deadline: deadline(timeout)))
        var call = places.beginning
        ResidentRequest.append(id, to: &call)
        call += places.end
        guard let rules = specification.batch, rules.files > 1 else { return send(call + [UInt8(ascii: "\n")]) }
        batch.append((id, call))
        if batch.count >= rules.files { return sendBatch() }
        guard batch.count == 1, let loop = context?.eventLoop else { return }
        let bound = NIOLoopBound(self, eventLoop: loop)
        batchTask = loop.scheduleTask(in: TimeAmount(rules.wait)) { bound.value.sendBatch() }
    }

    private func sendBatch() {
        batchTask?.cancel()
        batchTask = nil
        let members = batch.filter { calls[$0.id] != nil }
        batch = []
        guard let last = members.last else { return }
        guard members.count > 1 else { return send(last.call + [UInt8(ascii: "\n")]) }
        count += 1
        var line = Array("{\"id\":\"".utf8)
        ResidentRequest.append(count, to: &line)
        line += Array("\",\"batch\":[".utf8)
        for member in members {
            line += member.call
            line.append(UInt8(ascii: ","))
        }
        line.removeLast()
        send(line + Array("]}\n".utf8))
    }

    private func begin(_ call: Call) -> UInt64 {
        count += 1
        calls[count] = call
        keepTime(until: call.deadline)
        return count
    }

    /// What is written in one round of the event loop goes out together.
    private func send(_ line: [UInt8]) {
        guard let context else { return }
        context.write(wrapOutboundOut(ByteBuffer(bytes: line)), promise: nil)
        guard !willFlush else { return }
        willFlush = true
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        context.eventLoop.execute {
            bound.value.willFlush = false
            bound.value.context?.flush()
        }
    }

    // MARK: Time

    private func deadline(_ timeout: Duration?) -> NIODeadline {
        timeout.map { .now() + TimeAmount($0) } ?? .distantFuture
    }

    /// One timer for all calls, since hardly any call meets its deadline.
    private func keepTime(until deadline: NIODeadline) {
        guard deadline < .distantFuture, let context else { return }
        if let watch {
            guard deadline < watch.time else { return }
            watch.task.cancel()
        }
        let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
        watch = (deadline, context.eventLoop.scheduleTask(deadline: deadline) { bound.value.timeIsOver() })
    }

    private func timeIsOver() {
        watch = nil
        let now = NIODeadline.now()
        let late = calls.filter { $0.value.deadline <= now }
        for (id, call) in late {
            calls[id] = nil
            call.promise.succeed(ResidentAnswer(.timedOut))
        }
        // A program that is late cannot be told to leave off.
        if !late.isEmpty { return end() }
        if let next = calls.values.map(\.deadline).min() { keepTime(until: next) }
    }

    // MARK: Answers

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var piece = unwrapInboundIn(data)
        while piece.readableBytes > 0 {
            guard let length = Self.lineLength(piece) else { return keep(piece) }
            guard var line = piece.readSlice(length: length) else { return }
            piece.moveReaderIndex(forwardBy: 1)
            if isSkipping {
                isSkipping = false
                continue
            }
            if beginning.readableBytes > 0 {
                beginning.writeBuffer(&line)
                line = beginning
                beginning = ByteBuffer()
            }
            take(line)
        }
    }

    /// How many bytes come before the first line feed.
    private static func lineLength(_ piece: ByteBuffer) -> Int? {
        piece.withUnsafeReadableBytes { bytes in
            guard let start = bytes.baseAddress, let end = memchr(start, 0x0A, bytes.count) else { return nil }
            return UnsafeRawPointer(end) - start
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) { log.deliver() }

    private func keep(_ piece: ByteBuffer) {
        guard !isSkipping else { return }
        var piece = piece
        beginning.writeBuffer(&piece)
        guard beginning.readableBytes > Self.longestLine else { return }
        isSkipping = true
        let line = beginning
        beginning = ByteBuffer()
        if let id = ResidentLine.id(ofBeginning: line), calls[id] != nil {
            let words =
                "the function's answer is longer than \(ByteCount(Int64(Self.longestLine))); write it to a file in output_dir"
            finish(id, .refused(words))
        } else {
            say(line.getSlice(at: line.readerIndex, length: 1 << 16) ?? ByteBuffer())
        }
    }

    private func take(_ line: ByteBuffer) {
        // An empty line means nothing: a program ends with it what a library may have begun.
        guard line.readableBytes > 0 else { return }
        guard let answer = ResidentLine.parse(line), calls[answer.id] != nil else { return say(line) }
        finish(answer.id, answer.isOK ? .result(answer.text) : .refused(String(buffer: answer.text)))
    }

    private func finish(_ id: UInt64, _ outcome: ResidentAnswer.Outcome) {
        guard let call = calls.removeValue(forKey: id) else { return }
        guard let slot = call.slot else { return call.promise.succeed(ResidentAnswer(outcome)) }
        do {
            let files = try slot.takeFiles(to: nextPlace())
            freeSlots.append(slot)
            call.promise.succeed(ResidentAnswer(outcome, files: files))
        } catch {
            slotCount -= 1
            call.promise.fail(
                SandboxError(.startFailed, "the results of a call could not be taken: \(error)", cause: error))
        }
    }

    private func nextPlace() -> FilePath {
        takenCount += 1
        return specification.directory.appending("taken-\(takenCount)")
    }

    /// A line that is no answer goes to the log.
    private func say(_ line: ByteBuffer) {
        var bytes = Array(line.readableBytesView.prefix(1 << 16))
        bytes.append(UInt8(ascii: "\n"))
        // A program that floods its log loses lines; its answers are not to wait for them.
        if !log.stall() { log.add(.output(SandboxOutput(stream: .standardOutput, bytes: bytes))) }
    }

    // MARK: The end

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        lose()
        let abandon = abandon
        // A program that only closed its output is of no use; one that ended is seen to by its instance.
        context.eventLoop.scheduleTask(in: .seconds(5)) { abandon() }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// The program is no more, though somebody else may hold its output open; what it has written is still read.
    func instanceEnds() {
        guard let context else { return lose() }
        let channel = context.channel
        context.eventLoop.scheduleTask(in: .milliseconds(100)) { channel.close(promise: nil) }
    }

    func end() {
        context?.close(promise: nil)
        abandon()
        lose()
    }

    private func lose() {
        guard !isOver else { return }
        isOver = true
        watch?.task.cancel()
        batchTask?.cancel()
        let lost = calls
        calls = [:]
        for call in lost.values { call.promise.fail(Self.lost) }
        log.add(.lost)
        log.deliver()
    }

    static var lost: SandboxError { SandboxError(.instanceLost, "the instance ended before it answered") }
}
