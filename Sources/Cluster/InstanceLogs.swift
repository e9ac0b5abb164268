import Model
import Sandboxes
import Scheduling
import Synchronization

/// The last lines that the instances of each service wrote while they were in no invocation, in memory.
final class InstanceLogs: Sendable {
    /// One line, without its end.
    struct Line: Sendable, Hashable {
        let time: Instant
        let text: String
    }

    /// How many lines of a service are kept.
    static let keptLines = 1000
    /// What a line is cut to, in bytes.
    static let longestLine = 4096

    private static let mark = "Apus: "

    private struct Ring {
        var lines: [Line] = []
        /// What has no line feed yet, by instance and stream.
        var open: [OpenKey: [UInt8]] = [:]

        mutating func add(_ line: Line) {
            lines.append(line)
            // Seldom, so that it costs little for each.
            if lines.count >= 2 * keptLines { lines.removeFirst(lines.count - keptLines) }
        }
    }

    private struct OpenKey: Hashable {
        let instance: InstanceID
        let stream: SandboxOutput.Stream
    }

    private let rings = Mutex<[ServiceName: Ring]>([:])
    private let now: @Sendable () -> Instant

    init(now: @escaping @Sendable () -> Instant) { self.now = now }

    func append(_ output: SandboxOutput, of service: ServiceName, from instance: InstanceID) {
        let time = now()
        let key = OpenKey(instance: instance, stream: output.stream)
        rings.withLock { rings in
            var ring = rings.removeValue(forKey: service) ?? Ring()
            var rest = ring.open.removeValue(forKey: key) ?? []
            for byte in output.bytes {
                if byte == UInt8(ascii: "\n") {
                    ring.add(Line(time: time, text: String(decoding: rest, as: UTF8.self)))
                    rest.removeAll(keepingCapacity: true)
                } else if rest.count < Self.longestLine {
                    rest.append(byte)
                }
            }
            if !rest.isEmpty { ring.open[key] = rest }
            rings[service] = ring
        }
    }

    /// Adds a line of ours.
    func note(_ text: String, of service: ServiceName) {
        let line = Line(time: now(), text: Self.mark + text)
        rings.withLock { $0[service, default: Ring()].add(line) }
    }

    /// The last line of ours.
    func lastNote(of service: ServiceName) -> Line? {
        rings.withLock { $0[service]?.lines.last { $0.text.hasPrefix(Self.mark) } }
    }

    /// The last lines, oldest first.
    func last(_ count: Int, of service: ServiceName) -> [Line] {
        rings.withLock { ($0[service]?.lines ?? []).suffix(count) }
    }

    func ended(_ instance: InstanceID, of service: ServiceName) {
        rings.withLock { rings in
            for stream in SandboxOutput.Stream.allCases {
                rings[service]?.open[OpenKey(instance: instance, stream: stream)] = nil
            }
        }
    }

    func remove(_ service: ServiceName) { rings.withLock { $0[service] = nil } }
}
