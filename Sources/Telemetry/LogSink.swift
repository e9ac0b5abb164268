import Synchronization

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// Writes whole lines to one file descriptor, one write(2) a line, lines of several threads one after the
/// other.
final class LogSink: Sendable {
    /// Standard error.
    static let standardError = LogSink(descriptor: 2)

    private let descriptor: Int32
    /// Held while a line is written: a pipe takes lines of more than PIPE_BUF bytes in several pieces.
    private let turn = Mutex(())

    init(descriptor: Int32) { self.descriptor = descriptor }

    /// Whether lines go to a terminal that wants colours (<https://no-color.org>).
    var wantsColors: Bool {
        guard isatty(descriptor) == 1 else { return false }
        guard let noColor = getenv("NO_COLOR") else { return true }
        return noColor.pointee == 0
    }

    /// Writes the bytes.
    ///
    /// What cannot be written is dropped: there is nobody left to tell.
    func write(_ line: [UInt8]) {
        turn.withLock { _ in
            line.withUnsafeBytes { bytes in
                var rest = bytes[...]
                while !rest.isEmpty {
                    let count = Self.write(UnsafeRawBufferPointer(rebasing: rest), to: descriptor)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { return }
                    rest = rest.dropFirst(count)
                }
            }
        }
    }

    private static func write(_ buffer: UnsafeRawBufferPointer, to descriptor: Int32) -> Int {
        #if canImport(Glibc)
        Glibc.write(descriptor, buffer.baseAddress, buffer.count)
        #elseif canImport(Musl)
        Musl.write(descriptor, buffer.baseAddress, buffer.count)
        #else
        Darwin.write(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }

    /// The wall clock's nanoseconds since 1970.
    static func nanosecondsNow() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
