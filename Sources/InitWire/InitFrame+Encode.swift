extension InitFrame {
    enum Kind: UInt8 {
        case execute = 1
        case cancel = 2
        case boot = 3
        case ready = 16
        case output = 17
        case ended = 18
        case refused = 19
        case booted = 20
        case programEnded = 21
    }

    /// The frame as it goes over the socket.
    package var bytes: [UInt8] {
        var out: [UInt8] = []
        append(to: &out)
        return out
    }

    /// Appends the frame as it goes over the socket.
    package func append(to out: inout [UInt8]) {
        switch self {
        case .execute(let execution):
            Self.frame(.execute, into: &out) { out in
                out.put(execution.id)
                out.put(execution.timeout)
                out.put(execution.gracePeriod)
                out.put(execution.directory)
                out.put(execution.standardInput)
                out.put(execution.arguments)
                out.put(execution.environment)
                out.put(execution.own)
            }
        case .cancel(let id): Self.frame(.cancel, into: &out) { $0.put(id) }
        case .boot(let boot):
            Self.frame(.boot, into: &out) { out in
                out.append(boot.kind.rawValue)
                out.put(UInt32(boot.port))
                out.put(boot.directory)
                out.put(boot.arguments)
                out.put(boot.environment)
            }
        case .ready(let version): Self.frame(.ready, into: &out) { $0.put(version) }
        case .output(let id, let stream, let bytes):
            bytes.withUnsafeBytes { Self.appendOutput(id: id, stream: stream, $0, to: &out) }
        case .ended(let id, let end):
            Self.frame(.ended, into: &out) { out in
                out.put(id)
                out.put(end)
            }
        case .refused(let id, let message):
            Self.frame(.refused, into: &out) { out in
                out.put(id)
                out.put(message)
            }
        case .booted(let port): Self.frame(.booted, into: &out) { $0.put(UInt32(port)) }
        case .programEnded(let end): Self.frame(.programEnded, into: &out) { $0.put(end) }
        }
    }

    /// Appends an `output` frame without an array in between.
    package static func appendOutput(
        id: UInt32,
        stream: Stream,
        _ bytes: UnsafeRawBufferPointer,
        to out: inout [UInt8]
    ) {
        frame(.output, into: &out) { out in
            out.put(id)
            out.append(stream.rawValue)
            out.append(contentsOf: bytes)
        }
    }

    private static func frame(_ kind: Kind, into out: inout [UInt8], _ body: (inout [UInt8]) -> Void) {
        let start = out.count
        out.put(UInt32(0))
        out.append(kind.rawValue)
        body(&out)
        let length = UInt32(out.count - start - 4)
        for index in 0..<4 { out[start + index] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(index))) }
    }
}

extension [UInt8] {
    fileprivate mutating func put<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) {
        for index in 0..<(Number.bitWidth / 8) { append(UInt8(truncatingIfNeeded: number >> (8 * index))) }
    }

    fileprivate mutating func put(_ text: String) {
        let start = count
        put(UInt32(0))
        append(contentsOf: text.utf8)
        let length = UInt32(count - start - 4)
        for index in 0..<4 { self[start + index] = UInt8(truncatingIfNeeded: length >> (8 * UInt32(index))) }
    }

    fileprivate mutating func put(_ list: [String]) {
        put(UInt32(list.count))
        for text in list { put(text) }
    }

    fileprivate mutating func put(_ end: InitFrame.End) {
        put(UInt32(bitPattern: end.code))
        append((end.isSignal ? 1 : 0) | (end.isTimedOut ? 2 : 0))
        put(end.cpuTime)
        put(end.peakMemory)
    }
}
