import Glibc
import InitWire

/// The life of this process: orders in, output and ends out, and no process left behind.
final class Instance {
    /// What may wait to be sent; beyond that no output is read, so that a slow taker slows the program down.
    private static let roomForOutput = 256 << 10
    /// How long the end of Apus waits for processes that do not go.
    private static let lastPatience: UInt64 = 10_000

    private let control: Int32
    private var decoder = InitFrameDecoder(limit: InitFrameDecoder.longestOrder)
    private var outbox: [UInt8] = []
    private var sent = 0
    /// Came with a frame that is not whole yet.
    private var descriptors: [Int32] = []
    private var execution: Execution?
    private var program: Program?
    private var spare: SpareShell?
    /// What the next execution is likely to be, once one has ended.
    private var last: InitFrame.Execution?
    private var wantsSpare = false
    private var isEnding = false
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)

    init(control: Int32) { self.control = control }

    /// Goes on until Apus is gone or asks for the end.
    func live() -> Never {
        ProcessTree.adopt()
        send(.ready(version: InitFrame.version))
        while true {
            advance()
            flush()
            startSpare()
            wait()
        }
    }

    // MARK: Waiting

    private func wait() {
        var polled = [
            pollfd(fd: control, events: Int16(sent < outbox.count ? POLLIN | POLLOUT : POLLIN), revents: 0),
            pollfd(fd: Signals.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        let hasRoom = outbox.count - sent < Self.roomForOutput
        let streams = execution?.streams ?? (output: -1, error: -1)
        polled.append(pollfd(fd: hasRoom ? streams.output : -1, events: Int16(POLLIN), revents: 0))
        polled.append(pollfd(fd: hasRoom ? streams.error : -1, events: Int16(POLLIN), revents: 0))
        program?.addToPoll(&polled)
        let patiences: [Int32] = [execution?.patience ?? -1, program?.patience ?? -1]
        let patience: Int32 = patiences.filter { $0 >= 0 }.min() ?? -1
        guard poll(&polled, nfds_t(polled.count), patience) >= 0 else { return }
        if polled[1].revents != 0 { takeSignals() }
        if polled[0].revents & ~Int16(POLLOUT) != 0 { takeOrders() }
        if polled[2].revents != 0 { readStream(.output) }
        if polled[3].revents != 0 { readStream(.error) }
        if let frame = program?.act(on: polled[4...]) { send(frame) }
    }

    private func takeSignals() {
        let (childEnded, isAskedToEnd) = Signals.take()
        if isAskedToEnd, !isEnding {
            isEnding = true
            ProcessTree.signal(SIGTERM)
        }
        if childEnded || isEnding { reap() }
    }

    /// Takes the ends of children.
    ///
    /// As orphans become children of this process, none left means that none of all that was started is left.
    private func reap() {
        while true {
            var status: Int32 = 0
            var usage = rusage()
            let process = wait4(-1, &status, WNOHANG, &usage)
            if process > 0 {
                if process == spare?.process {
                    spare?.close()
                    spare = nil
                    continue
                }
                execution?.usage.add(usage)
                if process == execution?.process { execution?.status = status }
                if process == program?.process { programEnded(status) }
                continue
            }
            if process < 0, errno == EINTR { continue }
            if process < 0 {
                if execution?.status != nil { execution?.isEmpty = true }
                if isEnding { leave(0) }
            }
            return
        }
    }

    private func programEnded(_ status: Int32) {
        let end = InitFrame.End(status: status)
        send(.programEnded(end))
        end.isSignal ? leave(128 + end.code) : leave(end.code)
    }

    /// Ends all that is left, and this process.
    private func leave(_ code: Int32) -> Never {
        let deadline = Descriptors.now() + Self.lastPatience
        while Descriptors.now() < deadline {
            let process = wait4(-1, nil, WNOHANG, nil)
            if process < 0, errno == ECHILD { break }
            guard process == 0 else { continue }
            ProcessTree.signal(SIGKILL)
            poll(nil, 0, 2)
        }
        flush()
        exit(code)
    }

    // MARK: The execution

    private func advance() {
        guard execution != nil else { return }
        execution?.keepTime()
        guard let current = execution, current.status != nil else { return }
        if !current.isEmpty {
            reap()
            if execution?.isEmpty == false { ProcessTree.signal(SIGKILL) }
        }
        guard execution?.isEmpty == true else { return }
        // All writers are gone: what they wrote is in the pipes.
        readStream(.output)
        readStream(.error)
        guard let done = execution, done.streams == (-1, -1) else { return }
        send(.ended(id: done.id, done.end))
        execution = nil
        wantsSpare = true
    }

    /// Once for each execution that has ended: one that dies at once is not started over and over.
    private func startSpare() {
        guard wantsSpare, execution == nil, !isEnding, let last else { return }
        wantsSpare = false
        if spare == nil { spare = SpareShell.start(for: last) }
    }

    private func readStream(_ stream: InitFrame.Stream) {
        while let current = execution, outbox.count - sent < Self.roomForOutput {
            let descriptor = stream == .output ? current.streams.output : current.streams.error
            guard descriptor >= 0 else { return }
            let count = read(descriptor, buffer.baseAddress, buffer.count)
            if count > 0 {
                let bytes = UnsafeRawBufferPointer(rebasing: buffer.prefix(count))
                InitFrame.appendOutput(id: current.id, stream: stream, bytes, to: &outbox)
                if count < buffer.count, !current.isEmpty { return }
                continue
            }
            if count < 0, errno == EINTR { continue }
            if count < 0, errno == EAGAIN, !current.isEmpty { return }
            close(descriptor)
            if stream == .output { execution?.streams.output = -1 } else { execution?.streams.error = -1 }
            return
        }
    }

    // MARK: Frames

    private func takeOrders() {
        let count = Descriptors.receive(control, into: buffer, descriptors: &descriptors)
        if count < 0, errno == EAGAIN || errno == EINTR { return }
        // Apus is gone, and so is whoever wants to know.
        guard count > 0 else { leave(0) }
        decoder.feed(UnsafeRawBufferPointer(rebasing: buffer.prefix(count)))
        do {
            while let frame = try decoder.next() { take(frame) }
        } catch {
            Report.fail("an order cannot be understood")
        }
    }

    private func take(_ frame: InitFrame) {
        switch frame {
        case .execute(let order):
            guard execution == nil else { return send(.refused(id: order.id, message: "another one is running")) }
            let (started, problem) = Execution.start(order, in: spare)
            (spare, execution, last) = (nil, started, order)
            if started == nil { send(.refused(id: order.id, message: problem)) }
        case .cancel(let id): if execution?.id == id { execution?.stop() }
        case .boot(let order):
            let (started, problem) = Program.start(order, descriptors)
            descriptors = []
            guard let started else { Report.fail(problem) }
            program = started
            if order.kind == .lines { send(.booted(port: 0)) }  // the others when they answer
        case .ready, .output, .ended, .refused, .booted, .programEnded:
            Report.fail("an order cannot be understood")
        }
    }

    private func send(_ frame: InitFrame) { frame.append(to: &outbox) }

    private func flush() {
        while sent < outbox.count {
            let count = outbox.withUnsafeBytes { bytes in
                Glibc.send(control, bytes.baseAddress.map { $0 + sent }, bytes.count - sent, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { break }
            sent += count
        }
        guard sent > 0 else { return }
        if sent == outbox.count {
            outbox.removeAll(keepingCapacity: outbox.capacity <= 1 << 20)
            sent = 0
        } else if sent > 1 << 20 {
            outbox.removeFirst(sent)
            sent = 0
        }
    }
}
