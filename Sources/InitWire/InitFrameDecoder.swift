/// Takes frames out of what arrives, in pieces of any size.
package struct InitFrameDecoder: Sendable {
    /// What is no frame; nothing after it can be understood.
    package enum Malformation: Error, Hashable {
        /// The frame says that it is longer than the limit.
        case tooLong(UInt32)
        case unknownKind(UInt8)
        /// A field is longer than its frame, has a value that it cannot have, or something follows the last one.
        case malformed
    }

    /// The largest frame to init: an environment of 1 MiB, arguments, and the lengths of both.
    package static let longestOrder = 4 << 20
    /// The largest frame from init: one piece of output.
    package static let longestAnswer = 128 << 10

    private let limit: Int
    private var bytes: [UInt8] = []
    private var start = 0

    /// - Parameter limit: The length of the longest frame that is taken.
    package init(limit: Int) { self.limit = limit }

    /// How many bytes wait for the rest of their frame.
    package var waitingBytes: Int { bytes.count - start }

    /// Takes what arrived.
    package mutating func feed(_ piece: UnsafeRawBufferPointer) {
        if start == bytes.count {
            bytes.removeAll(keepingCapacity: bytes.capacity <= 1 << 18)
            start = 0
        } else if start > 1 << 16 {
            bytes.removeFirst(start)
            start = 0
        }
        bytes.append(contentsOf: piece)
    }

    /// The next whole frame, or `nil` until more has arrived.
    package mutating func next() throws(Malformation) -> InitFrame? {
        guard bytes.count - start >= 4 else { return nil }
        let length = number(at: start)
        guard Int(length) <= limit else { throw .tooLong(length) }
        guard length >= 1 else { throw .malformed }
        let end = start + 4 + Int(length)
        guard bytes.count >= end else { return nil }
        let code = bytes[start + 4]
        guard let kind = InitFrame.Kind(rawValue: code) else { throw .unknownKind(code) }
        var reader = Reader(bytes: bytes, position: start + 5, end: end)
        let frame = try reader.frame(kind)
        start = end
        return frame
    }

    private func number(at index: Int) -> UInt32 {
        (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[index + $1]) << (8 * UInt32($1)) }
    }
}

/// Reads the fields of one frame.
private struct Reader {
    let bytes: [UInt8]
    var position: Int
    let end: Int

    mutating func frame(_ kind: InitFrame.Kind) throws(InitFrameDecoder.Malformation) -> InitFrame {
        let frame = try fields(kind)
        guard position == end else { throw .malformed }
        return frame
    }

    private mutating func fields(_ kind: InitFrame.Kind) throws(InitFrameDecoder.Malformation) -> InitFrame {
        switch kind {
        case .execute: return .execute(try execution())
        case .cancel: return .cancel(id: try number())
        case .boot: return .boot(try boot())
        case .ready: return .ready(version: try number())
        case .output:
            let id: UInt32 = try number()
            guard let stream = InitFrame.Stream(rawValue: try byte()) else { throw .malformed }
            let rest = Array(bytes[position..<end])
            position = end
            return .output(id: id, stream: stream, bytes: rest)
        case .ended: return .ended(id: try number(), try ending())
        case .refused: return .refused(id: try number(), message: try text())
        case .booted: return .booted(port: try port())
        case .programEnded: return .programEnded(try ending())
        }
    }

    private mutating func execution() throws(InitFrameDecoder.Malformation) -> InitFrame.Execution {
        let id: UInt32 = try number()
        let timeout: UInt64 = try number()
        let gracePeriod: UInt64 = try number()
        let directory = try text()
        let input = try text()
        let arguments = try list()
        return InitFrame.Execution(
            id: id, arguments: arguments, environment: try list(), own: try list(), directory: directory,
            standardInput: input,
            timeout: timeout, gracePeriod: gracePeriod
        )
    }

    private mutating func boot() throws(InitFrameDecoder.Malformation) -> InitFrame.Boot {
        guard let kind = InitFrame.Boot.Kind(rawValue: try byte()) else { throw .malformed }
        let port = try port()
        let directory = try text()
        let arguments = try list()
        return InitFrame.Boot(
            kind: kind, arguments: arguments, environment: try list(), directory: directory, port: port)
    }

    private mutating func ending() throws(InitFrameDecoder.Malformation) -> InitFrame.End {
        let code: UInt32 = try number()
        let flags = try byte()
        guard flags & ~3 == 0 else { throw .malformed }
        let cpuTime: UInt64 = try number()
        return InitFrame.End(
            code: Int32(bitPattern: code), isSignal: flags & 1 != 0, isTimedOut: flags & 2 != 0, cpuTime: cpuTime,
            peakMemory: try number()
        )
    }

    private mutating func port() throws(InitFrameDecoder.Malformation) -> UInt16 {
        let number: UInt32 = try number()
        guard let port = UInt16(exactly: number) else { throw .malformed }
        return port
    }

    private mutating func byte() throws(InitFrameDecoder.Malformation) -> UInt8 {
        guard position < end else { throw .malformed }
        defer { position += 1 }
        return bytes[position]
    }

    private mutating func number<Number: FixedWidthInteger>() throws(InitFrameDecoder.Malformation) -> Number {
        let size = Number.bitWidth / 8
        guard end - position >= size else { throw .malformed }
        var number: Number = 0
        for index in 0..<size { number |= Number(truncatingIfNeeded: bytes[position + index]) << (8 * index) }
        position += size
        return number
    }

    private mutating func text() throws(InitFrameDecoder.Malformation) -> String {
        let length: UInt32 = try number()
        guard end - position >= Int(length) else { throw .malformed }
        defer { position += Int(length) }
        return String(decoding: bytes[position..<position + Int(length)], as: UTF8.self)
    }

    private mutating func list() throws(InitFrameDecoder.Malformation) -> [String] {
        let count: UInt32 = try number()
        // Each text takes at least its length, so a count that cannot be true reserves nothing.
        guard Int(count) <= (end - position) / 4 else { throw .malformed }
        var list: [String] = []
        list.reserveCapacity(Int(count))
        for _ in 0..<count { list.append(try text()) }
        return list
    }
}
