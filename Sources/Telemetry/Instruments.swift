import Metrics
import Synchronization

/// What one series of a metric holds, and how it is written.
protocol Instrument: AnyObject, Sendable {
    /// Appends the lines of this series.
    func write(name: String, labels: LabelSet, to text: inout ExpositionText)
}

/// A number that only grows.
///
/// Increments are lock-free.
///
/// Whole amounts and fractions are kept apart, so that counting bytes stays exact.
final class CounterInstrument: Instrument, CounterHandler, FloatingPointCounterHandler {
    private let whole = Atomic<Int64>(0)
    private let fractional = AtomicDouble(0)

    var value: Double { Double(whole.load(ordering: .relaxed)) + fractional.value }

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        whole.wrappingAdd(amount, ordering: .relaxed)
    }

    func increment(by amount: Double) {
        guard amount.isFinite, amount > 0 else { return }
        fractional.add(amount)
    }

    func reset() {
        whole.store(0, ordering: .relaxed)
        fractional.set(0)
    }

    func write(name: String, labels: LabelSet, to text: inout ExpositionText) {
        text.sample(name, labels: labels.text, value: value)
    }
}

/// A number that is set, or moves up and down.
///
/// Lock-free.
final class GaugeInstrument: Instrument, MeterHandler, RecorderHandler {
    private let current = AtomicDouble(0)

    var value: Double { current.value }

    func set(_ value: Int64) { current.set(Double(value)) }
    func set(_ value: Double) { current.set(value) }
    func record(_ value: Int64) { current.set(Double(value)) }
    func record(_ value: Double) { current.set(value) }

    func increment(by amount: Double) {
        guard amount.isFinite else { return }
        current.add(amount)
    }

    func decrement(by amount: Double) { increment(by: -amount) }

    func write(name: String, labels: LabelSet, to text: inout ExpositionText) {
        text.sample(name, labels: labels.text, value: value)
    }
}

/// A distribution over fixed buckets.
///
/// One short lock an observation.
final class HistogramInstrument: Instrument, TimerHandler, RecorderHandler {
    private struct State {
        /// Observations a bucket, not cumulated; the last is what exceeds every bound.
        var counts: [UInt64]
        var sum = 0.0
    }

    private let bounds: [Double]
    private let state: Mutex<State>

    /// - Parameter bounds: The upper bounds of the buckets, ascending; `+Inf` is added.
    init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: [UInt64](repeating: 0, count: bounds.count + 1)))
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock { state in
            state.counts[bucket] += 1
            state.sum += value
        }
    }

    func write(name: String, labels: LabelSet, to text: inout ExpositionText) {
        let (counts, sum) = state.withLock { ($0.counts, $0.sum) }
        var cumulated: UInt64 = 0
        for (bound, count) in zip(bounds + [.infinity], counts) {
            cumulated += count
            let comma = labels.text.isEmpty ? "" : ","
            let bucket = "\(labels.text)\(comma)le=\"\(ExpositionText.number(bound))\""
            text.sample(name + "_bucket", labels: bucket, value: Double(cumulated))
        }
        text.sample(name + "_sum", labels: labels.text, value: sum)
        text.sample(name + "_count", labels: labels.text, value: Double(cumulated))
    }
}

/// The bounds of histogram buckets.
enum Buckets {
    /// Durations: 1 ms to 1 h, in seconds.
    static let seconds: [Double] = [
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 600, 1800, 3600,
    ]

    /// Sizes: 1 KiB to 64 GiB, in bytes, a factor of four apart.
    static let bytes: [Double] = (0...13).map { Double(1024 << (2 * $0)) }

    /// Anything else, such as queue lengths.
    static let plain: [Double] = [
        1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 100_000, 1_000_000,
    ]

    /// The bounds for a recorder, by the unit that its name ends with.
    static func forRecorder(named name: String) -> [Double] {
        if name.hasSuffix("_seconds") { return seconds }
        if name.hasSuffix("_bytes") { return bytes }
        return plain
    }
}

/// A `Double` behind an atomic word.
private struct AtomicDouble: ~Copyable, Sendable {
    private let bits: Atomic<UInt64>

    init(_ value: Double) { bits = Atomic(value.bitPattern) }

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }

    func add(_ amount: Double) {
        var seen = bits.load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: seen) + amount).bitPattern
            let attempt = bits.weakCompareExchange(expected: seen, desired: sum, ordering: .relaxed)
            if attempt.exchanged { return }
            seen = attempt.original
        }
    }
}
