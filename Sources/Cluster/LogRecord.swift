package import Model

/// One piece of a job's log, as it is kept in the log file.
///
/// A record is a head line `TIME STREAM LENGTH`, then LENGTH bytes as the function wrote them, then a line feed:
///
///     2026-01-01T10:00:00.000000000Z o 6
///     hello
///
/// so that binary output is kept exactly and both streams stay in their order.
package struct LogRecord: Sendable, Hashable {
    package enum Stream: UInt8, Sendable, Hashable {
        case output = 0x6F
        case error = 0x65
        /// What Apus itself says about the job.
        case system = 0x73
    }

    package var time: Instant
    package var stream: Stream
    package var bytes: [UInt8]

    package init(time: Instant, stream: Stream, bytes: [UInt8]) {
        self.time = time
        self.stream = stream
        self.bytes = bytes
    }

    /// The record as it stands in the file.
    package var encoded: [UInt8] {
        var out = Array("\(time.rfc3339(fractionDigits: 9)) ".utf8)
        out.reserveCapacity(out.count + bytes.count + 16)
        out.append(stream.rawValue)
        out.append(contentsOf: " \(bytes.count)\n".utf8)
        out.append(contentsOf: bytes)
        out.append(0x0A)
        return out
    }
}

/// Takes log records out of the bytes of a log file, which may come in any pieces.
///
/// A file that ends within a record (the program was killed while it wrote) yields all whole records. A damaged head ends
/// the reading: what follows cannot be told apart.
package struct LogParser: Sendable {
    /// No head is longer; more without a line feed is damage.
    private static let maximumHead = 80
    /// In bytes; no record is longer: output comes in pieces of some KiB.
    private static let maximumRecord = 16 << 20

    private var buffer: [UInt8] = []
    private var start = 0
    /// How many bytes the whole records that were taken out have.
    package private(set) var consumed: Int64 = 0
    package private(set) var isDamaged = false

    package init() {}

    package mutating func append(_ bytes: some Sequence<UInt8>) {
        if start > 0 {
            buffer.removeFirst(start)
            start = 0
        }
        buffer.append(contentsOf: bytes)
    }

    /// The next whole record; `nil` until more bytes come.
    package mutating func next() -> LogRecord? {
        guard !isDamaged, start < buffer.count else { return nil }
        let window = buffer[start..<min(buffer.count, start + Self.maximumHead)]
        guard let end = window.firstIndex(of: 0x0A) else {
            isDamaged = window.count == Self.maximumHead
            return nil
        }
        let parts = buffer[start..<end].split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3, let time = Instant(rfc3339: String(decoding: parts[0], as: UTF8.self)),
            parts[1].count == 1, let code = parts[1].first, let stream = LogRecord.Stream(rawValue: code),
            let length = Int(String(decoding: parts[2], as: UTF8.self)), length >= 0, length <= Self.maximumRecord
        else {
            isDamaged = true
            return nil
        }
        let body = end + 1
        guard buffer.count >= body + length + 1 else { return nil }
        consumed += Int64(body + length + 1 - start)
        start = body + length + 1
        return LogRecord(time: time, stream: stream, bytes: Array(buffer[body..<body + length]))
    }
}

/// Writes records for people: plain bytes, or each line with its time before it.
package struct LogRenderer: Sendable {
    private let timestamps: Bool
    private var isAtLineStart = true

    package init(timestamps: Bool) { self.timestamps = timestamps }

    package mutating func render(_ record: LogRecord) -> [UInt8] {
        guard timestamps else { return record.bytes }
        let stamp = Array("\(record.time.rfc3339(fractionDigits: 9)) ".utf8)
        var out: [UInt8] = []
        out.reserveCapacity(record.bytes.count + stamp.count)
        for byte in record.bytes {
            if isAtLineStart { out.append(contentsOf: stamp) }
            out.append(byte)
            isAtLineStart = byte == 0x0A
        }
        return out
    }
}
