import Metrics
import Testing

@testable import Telemetry

@Suite struct PrometheusRegistryTests {
    @Test func writesCountersInTheOrderOfNamesAndLabels() async {
        let registry = PrometheusRegistry(help: ["apus_requests_total": "Requests,\nby \\ method."])
        Counter(
            label: "apus_requests_total",
            dimensions: [("status", "2xx"), ("method", "PUT")],
            factory: registry
        )
        .increment(by: 3)
        Counter(
            label: "apus_requests_total",
            dimensions: [("method", "GET"), ("status", "2xx")],
            factory: registry
        )
        .increment()
        Counter(label: "apus_events_total", factory: registry).increment(by: 7)
        #expect(
            await registry.text() == """
                # TYPE apus_events_total counter
                apus_events_total 7
                # HELP apus_requests_total Requests,\\nby \\\\ method.
                # TYPE apus_requests_total counter
                apus_requests_total{method="GET",status="2xx"} 1
                apus_requests_total{method="PUT",status="2xx"} 3

                """
        )
    }

    @Test func givesTheSameInstrumentForTheSameNameAndLabels() async {
        let registry = PrometheusRegistry()
        for labels in [[("a", "1"), ("b", "2")], [("b", "2"), ("a", "1")]] {
            Counter(label: "x_total", dimensions: labels, factory: registry).increment()
        }
        #expect(await registry.text().contains("x_total{a=\"1\",b=\"2\"} 2\n"))
    }

    @Test func countsWholeAmountsExactlyAndFractionsToo() async {
        let registry = PrometheusRegistry()
        let counter = registry.makeCounter(label: "bytes_total", dimensions: [])
        counter.increment(by: 1 << 52)
        counter.increment(by: 1)
        counter.increment(by: -5)
        #expect(await registry.text().contains("bytes_total 4503599627370497\n"))
        let seconds = FloatingPointCounter(label: "cpu_seconds_total", factory: registry)
        seconds.increment(by: 0.5)
        seconds.increment(by: 0.25)
        seconds.increment(by: Double.nan)
        seconds.increment(by: -1.0)
        #expect(await registry.text().contains("cpu_seconds_total 0.75\n"))
        counter.reset()
        #expect(await registry.text().contains("bytes_total 0\n"))
    }

    @Test func metersAndPlainRecordersAreGauges() async {
        let registry = PrometheusRegistry()
        let meter = Meter(label: "queue_length", factory: registry)
        meter.set(10)
        meter.increment(by: 2.5)
        meter.decrement(by: 0.5)
        Recorder(label: "load", dimensions: [], aggregate: false, factory: registry).record(-0.25)
        #expect(
            await registry.text() == """
                # TYPE load gauge
                load -0.25
                # TYPE queue_length gauge
                queue_length 12

                """
        )
    }

    @Test func timersAreHistogramsInSeconds() async {
        let registry = PrometheusRegistry()
        let timer = Timer(label: "run_seconds", dimensions: [("kind", "process")], factory: registry)
        timer.recordMilliseconds(1)
        timer.recordMilliseconds(3)
        timer.recordSeconds(7200)
        let lines = await registry.text().split(separator: "\n")
        #expect(lines.first == "# TYPE run_seconds histogram")
        #expect(lines.contains("run_seconds_bucket{kind=\"process\",le=\"0.001\"} 1"))
        #expect(lines.contains("run_seconds_bucket{kind=\"process\",le=\"0.0025\"} 1"))
        #expect(lines.contains("run_seconds_bucket{kind=\"process\",le=\"0.005\"} 2"))
        #expect(lines.contains("run_seconds_bucket{kind=\"process\",le=\"3600\"} 2"))
        #expect(lines.contains("run_seconds_bucket{kind=\"process\",le=\"+Inf\"} 3"))
        #expect(lines.contains("run_seconds_sum{kind=\"process\"} 7200.004"))
        #expect(lines.last == "run_seconds_count{kind=\"process\"} 3")
    }

    @Test(arguments: [
        ("stage_in_bytes", 14, "68719476736"), ("queue_length", 15, "1000000"), ("wait_seconds", 19, "3600"),
    ])
    func takesBucketsFromTheUnit(name: String, count: Int, last: String) async {
        let registry = PrometheusRegistry()
        Recorder(label: name, factory: registry).record(1)
        let bounds = await registry.text().split(separator: "\n").filter { $0.hasPrefix("\(name)_bucket") }
        #expect(bounds.count == count + 1)
        #expect(bounds.dropLast().last?.contains("le=\"\(last)\"") == true)
    }

    @Test func ignoresWhatIsNoNumber() async {
        let registry = PrometheusRegistry()
        let recorder = Recorder(label: "sizes", factory: registry)
        for value in [Double.nan, .infinity, -.infinity] { recorder.record(value) }
        #expect(await registry.text().contains("sizes_count 0\n"))
    }

    @Test func boundsTheSeriesOfAName() async {
        let registry = PrometheusRegistry(maximumSeriesPerName: 3)
        for index in 0..<10_000 {
            Counter(label: "c_total", dimensions: [("user", "u\(index)")], factory: registry).increment()
        }
        Counter(label: "c_total", dimensions: [("user", "u1")], factory: registry).increment()
        #expect(
            await registry.text() == """
                # TYPE c_total counter
                c_total{overflow="true"} 9997
                c_total{user="u0"} 1
                c_total{user="u1"} 2
                c_total{user="u2"} 1

                """
        )
    }

    @Test func refusesASecondKindUnderOneName() async {
        let registry = PrometheusRegistry()
        Counter(label: "x", factory: registry).increment()
        Meter(label: "x", factory: registry).set(5)
        Meter(label: "x", dimensions: [("a", "b")], factory: registry).set(5)
        let text = await registry.text()
        #expect(text.contains("# TYPE x counter\nx 1\n"))
        #expect(text.contains("apus_metrics_rejected_total 2\n"))
    }

    @Test func forgetsWhatIsDestroyed() async {
        let registry = PrometheusRegistry()
        let counter = registry.makeCounter(label: "x", dimensions: [("a", "1")])
        registry.makeCounter(label: "x", dimensions: [("a", "2")]).increment(by: 1)
        registry.destroyCounter(counter)
        #expect(await registry.text() == "# TYPE x counter\nx{a=\"2\"} 1\n")
    }

    @Test func callsBackAtEachScrape() async {
        let registry = PrometheusRegistry()
        registry.addCallback("jobs", help: "Jobs by state.") {
            [.init(2, labels: [("state", "pending")]), .init(1, labels: [("state", "failed")])]
        }
        registry.addCallback("nothing", help: "Not there.") { [] }
        let expected = """
            # HELP jobs Jobs by state.
            # TYPE jobs gauge
            jobs{state="failed"} 1
            jobs{state="pending"} 2

            """
        #expect(await registry.text() == expected)
        #expect(await registry.text() == expected)
        registry.addCallback("jobs", kind: .counter, help: "All.") {
            [.init(.infinity), .init(.nan, labels: [("a", "")])]
        }
        #expect(
            await registry.text() == "# HELP jobs All.\n# TYPE jobs counter\njobs +Inf\njobs{a=\"\"} NaN\n"
        )
    }

    @Test func losesNoIncrementOfManyTasks() async {
        let registry = PrometheusRegistry()
        await withTaskGroup { group in
            for task in 0..<16 {
                group.addTask {
                    for _ in 0..<1000 {
                        Counter(label: "n_total", factory: registry).increment()
                        FloatingPointCounter(label: "f_total", factory: registry).increment(by: 0.5)
                        Timer(label: "t_seconds", factory: registry).recordSeconds(task)
                    }
                }
            }
        }
        let text = await registry.text()
        #expect(text.contains("n_total 16000\n"))
        #expect(text.contains("f_total 8000\n"))
        #expect(text.contains("t_seconds_count 16000\n"))
        #expect(text.contains("t_seconds_sum 120000\n"))
    }

    @Test func readsTheProcess() async throws {
        let registry = PrometheusRegistry()
        ProcessMetrics.register(in: registry)
        let text = await registry.text()
        func value(_ name: String) throws -> Double {
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("\(name) ") })
            return try #require(Double(line.dropFirst(name.count + 1)))
        }
        #expect(try value("process_resident_memory_bytes") > 1_000_000)
        #expect(try value("process_open_fds") >= 3)
        #expect(try value("process_cpu_seconds_total") >= 0)
        #expect(try value("process_start_time_seconds") > 1_700_000_000)
    }
}

@Suite struct MetricNameTests {
    @Test(arguments: [
        ("apus_jobs_total", "apus_jobs_total"), ("a.b-c d", "a_b_c_d"), ("9lives", "_9lives"), ("", "_"),
        ("ns:x", "ns:x"),
        ("größe", "gr__e"), ("x\n# EVIL 1", "x___EVIL_1"),
    ])
    func sanitizesNames(name: String, expected: String) { #expect(MetricName.sanitized(name) == expected) }

    @Test(arguments: [
        ("le", "exported_le"), ("__name__", "exported___name__"), ("a:b", "a_b"),
        ("quantile", "exported_quantile"),
    ])
    func sanitizesLabels(name: String, expected: String) {
        #expect(MetricName.sanitizedLabel(name) == expected)
    }

    @Test(arguments: [
        ("plain", "plain"), ("say \"hi\"", "say \\\"hi\\\""), ("C:\\x", "C:\\\\x"),
        ("two\nlines", "two\\nlines"),
        ("ünï", "ünï"), ("", ""),
    ])
    func escapesValues(value: String, expected: String) {
        #expect(LabelSet([("k", value)]).text == "k=\"\(expected)\"")
    }

    @Test func cutsHugeValuesBetweenCharacters() {
        let text = LabelSet([("k", String(repeating: "é", count: 1_000_000))]).text
        #expect(text == "k=\"\(String(repeating: "é", count: 100))\"")
    }

    @Test func keepsTheLastOfADoubleLabel() { #expect(LabelSet([("a", "1"), ("a", "2")]).text == "a=\"2\"") }
}

@Suite struct ProcessStatisticsTests {
    private static let tail = "S 1 1 1 0 -1 4194560 0 0 0 0 250 50 0 0 20 0 4 0 1000 999 100 1844"

    @Test(arguments: ["apus", "a b", "a) S 9 (b", ""])
    func readsAnyCommand(command: String) throws {
        let line = "1 (\(command)) \(Self.tail)\n"
        let statistics = try #require(ProcessStatistics(stat: line, ticksPerSecond: 100, pageSize: 4096))
        #expect(statistics.cpuSeconds == 3)
        #expect(statistics.startAfterBoot == 10)
        #expect(statistics.residentBytes == 409_600)
    }

    @Test(arguments: [
        "", "1 (a", "1 (a) S 1 2", "no parentheses at all", ")",
        "1 (a) " + String(repeating: "x ", count: 40),
    ])
    func refusesOtherTexts(text: String) {
        #expect(ProcessStatistics(stat: text, ticksPerSecond: 100, pageSize: 4096) == nil)
    }
}
