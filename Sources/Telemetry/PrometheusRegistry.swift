package import Metrics
import Synchronization

/// Keeps the program's metrics and writes them in the Prometheus text format 0.0.4.
///
/// Instruments are kept by name and labels: asking for the same one twice gives the same instrument. A name
/// belongs to the kind of instrument that used it first; another kind under the same name counts nowhere and
/// shows in `apus_metrics_rejected_total`. Each name has at most `maximumSeriesPerName` sets of labels; what
/// comes after shares the one set `{overflow="true"}`, so that a label from outside cannot fill the memory.
package final class PrometheusRegistry: MetricsFactory, Sendable {
    /// The type of what `text()` returns, for the Content-Type header.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// One value of a metric that is computed when it is asked for.
    package struct Sample: Sendable {
        package let labels: [(String, String)]
        package let value: Double

        package init(_ value: Double, labels: [(String, String)] = []) {
            self.value = value
            self.labels = labels
        }
    }

    /// Computes the samples of a metric.
    ///
    /// Called at each scrape; must be quick and must not wait for anything remote.
    package typealias Callback = @Sendable () async -> [Sample]

    private struct Family {
        let kind: MetricKind
        var series: [LabelSet: any Instrument] = [:]
    }

    private struct CallbackFamily: Sendable {
        let kind: MetricKind
        let callback: Callback
    }

    private struct State {
        var families: [String: Family] = [:]
        var callbacks: [String: CallbackFamily] = [:]
        var help: [String: String] = [
            "apus_metrics_rejected_total":
                "Instruments that were refused because their name has another kind."
        ]
        var rejected: Int64 = 0
    }

    private let maximumSeriesPerName: Int
    private let state = Mutex(State())

    /// - Parameters:
    ///   - help: What each metric means, by its name: the HELP lines.
    ///   - maximumSeriesPerName: How many sets of labels a name may have, at least 1.
    package init(help: [String: String] = [:], maximumSeriesPerName: Int = 2000) {
        self.maximumSeriesPerName = max(1, maximumSeriesPerName)
        for (name, text) in help { describe(name, text) }
    }

    /// Says what a metric means: its HELP line.
    ///
    /// The name need not be in use yet.
    package func describe(_ name: String, _ help: String) {
        state.withLock { $0.help[MetricName.sanitized(name)] = help }
    }

    /// Adds a metric whose values are computed at each scrape, such as the number of jobs by state or the
    /// resident size.
    ///
    /// A callback that was added under the same name is replaced.
    package func addCallback(
        _ name: String,
        kind: MetricKind = .gauge,
        help: String,
        _ callback: @escaping Callback
    ) {
        let name = MetricName.sanitized(name)
        state.withLock { state in
            state.help[name] = help
            state.callbacks[name] = CallbackFamily(kind: kind, callback: callback)
        }
    }

    /// Everything, metrics and series in the order of their names.
    package func text() async -> String {
        let (families, callbacks, help, rejected) = state.withLock {
            ($0.families, $0.callbacks, $0.help, $0.rejected)
        }
        var text = ExpositionText()
        let rejectedName = "apus_metrics_rejected_total"
        for name in Set(families.keys).union(callbacks.keys).union([rejectedName]).sorted() {
            if let family = callbacks[name] {
                await Self.write(family, name: name, help: help[name], to: &text)
            } else if let family = families[name] {
                guard !family.series.isEmpty else { continue }
                text.header(name, kind: family.kind, help: help[name])
                for (labels, instrument) in family.series.sorted(by: { $0.key < $1.key }) {
                    instrument.write(name: name, labels: labels, to: &text)
                }
            } else if rejected > 0 {
                text.header(name, kind: .counter, help: help[name])
                text.sample(name, labels: "", value: Double(rejected))
            }
        }
        return text.text
    }

    private static func write(
        _ family: CallbackFamily,
        name: String,
        help: String?,
        to text: inout ExpositionText
    ) async {
        let samples = await family.callback()
        guard !samples.isEmpty else { return }
        text.header(name, kind: family.kind, help: help)
        var values: [LabelSet: Double] = [:]
        for sample in samples { values[LabelSet(sample.labels)] = sample.value }
        for (labels, value) in values.sorted(by: { $0.key < $1.key }) {
            text.sample(name, labels: labels.text, value: value)
        }
    }

    /// The instrument of that name and labels, made where there is none yet.
    private func instrument<Kind: Instrument>(
        _ label: String,
        _ dimensions: [(String, String)],
        kind: MetricKind,
        make: (_ name: String) -> Kind
    ) -> Kind {
        let name = MetricName.sanitized(label)
        let labels = LabelSet(dimensions)
        return state.withLock { state in
            var family = state.families[name] ?? Family(kind: kind)
            let isFull = family.series[labels] == nil && family.series.count >= maximumSeriesPerName
            let place = isFull ? LabelSet.overflow : labels
            if let known = family.series[place] as? Kind { return known }
            let made = make(name)
            guard family.kind == kind, family.series[place] == nil else {
                state.rejected += 1
                return made
            }
            family.series[place] = made
            state.families[name] = family
            return made
        }
    }

    private func remove(_ handler: AnyObject) {
        state.withLock { state in
            for (name, family) in state.families {
                guard let place = family.series.first(where: { $0.value === handler })?.key else { continue }
                state.families[name]?.series[place] = nil
                return
            }
        }
    }
}

extension PrometheusRegistry {
    package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        instrument(label, dimensions, kind: .counter) { _ in CounterInstrument() }
    }

    package func makeFloatingPointCounter(
        label: String,
        dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        instrument(label, dimensions, kind: .counter) { _ in CounterInstrument() }
    }

    package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        instrument(label, dimensions, kind: .gauge) { _ in GaugeInstrument() }
    }

    package func makeRecorder(
        label: String,
        dimensions: [(String, String)],
        aggregate: Bool
    ) -> any RecorderHandler {
        guard aggregate else { return instrument(label, dimensions, kind: .gauge) { _ in GaugeInstrument() } }
        return instrument(label, dimensions, kind: .histogram) { name in
            HistogramInstrument(bounds: Buckets.forRecorder(named: name))
        }
    }

    package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        instrument(label, dimensions, kind: .histogram) { _ in HistogramInstrument(bounds: Buckets.seconds) }
    }

    package func destroyCounter(_ handler: any CounterHandler) { remove(handler) }
    package func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { remove(handler) }
    package func destroyMeter(_ handler: any MeterHandler) { remove(handler) }
    package func destroyRecorder(_ handler: any RecorderHandler) { remove(handler) }
    package func destroyTimer(_ handler: any TimerHandler) { remove(handler) }
}
