#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#else
import Darwin
#endif

/// The metrics that every Prometheus client offers of its own process, read from `/proc` (proc(5)).
///
/// Where `/proc` is missing, the metrics are left out.
package enum ProcessMetrics {
    /// Adds `process_resident_memory_bytes`, `process_cpu_seconds_total`, `process_open_fds` and
    /// `process_start_time_seconds`.
    package static func register(in registry: PrometheusRegistry) {
        registry.addCallback("process_resident_memory_bytes", help: "Resident memory size in bytes.") {
            samples(ProcessStatistics.read().map { Double($0.residentBytes) })
        }
        registry.addCallback(
            "process_cpu_seconds_total",
            kind: .counter,
            help: "Total user and system CPU time spent in seconds."
        ) {
            samples(ProcessStatistics.read()?.cpuSeconds)
        }
        registry.addCallback("process_open_fds", help: "Number of open file descriptors.") {
            samples(openFileDescriptors().map(Double.init))
        }
        registry.addCallback(
            "process_start_time_seconds",
            help: "Start time of the process since unix epoch in seconds."
        ) {
            samples(ProcessStatistics.startTime())
        }
    }

    private static func samples(_ value: Double?) -> [PrometheusRegistry.Sample] {
        value.map { [PrometheusRegistry.Sample($0)] } ?? []
    }

    /// Entries of `/proc/self/fd`, without the one that reading the directory takes; `nil` where it cannot be read.
    package static func openFileDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while let entry = readdir(directory) {
            let isDotEntry = entry.pointee.d_name.0 == CChar(UInt8(ascii: "."))
            if !isDotEntry { count += 1 }
        }
        return max(0, count - 1)
    }
}

/// What `/proc/self/stat` says.
package struct ProcessStatistics: Sendable, Hashable {
    /// User and system time, in seconds.
    package let cpuSeconds: Double
    /// Memory that is in RAM, in bytes.
    package let residentBytes: Int
    /// When the process started, in seconds after the machine did.
    package let startAfterBoot: Double

    /// The statistics of this process now; `nil` where `/proc` is missing.
    package static func read() -> ProcessStatistics? {
        guard let text = contents(of: "/proc/self/stat") else { return nil }
        return ProcessStatistics(
            stat: text,
            ticksPerSecond: sysconf(Int32(_SC_CLK_TCK)),
            pageSize: sysconf(Int32(_SC_PAGESIZE))
        )
    }

    /// Parses the text of a `stat` file; `nil` where it is none.
    ///
    /// The command in parentheses may itself hold spaces and parentheses, so fields are counted from the last
    /// `)`.
    init?(stat: String, ticksPerSecond: Int, pageSize: Int) {
        guard ticksPerSecond > 0, let end = stat.utf8.lastIndex(of: UInt8(ascii: ")")) else { return nil }
        let fields = stat[stat.utf8.index(after: end)...].split { $0 == " " || $0 == "\n" }
        // proc(5): state is field 3, so field n is at n - 3: utime 14, stime 15, starttime 22, rss 24.
        guard fields.count > 21, let user = Double(fields[11]), let system = Double(fields[12]),
            let start = Double(fields[19]), let pages = Int(fields[21]), pages >= 0
        else { return nil }
        cpuSeconds = (user + system) / Double(ticksPerSecond)
        startAfterBoot = start / Double(ticksPerSecond)
        residentBytes = pages.multipliedReportingOverflow(by: pageSize).partialValue
    }

    /// When the process started, in seconds since 1970.
    static func startTime() -> Double? {
        guard let statistics = read(), let text = contents(of: "/proc/stat") else { return nil }
        let line = text.split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line.flatMap { Double($0.dropFirst("btime ".count)) }.map { $0 + statistics.startAfterBoot }
    }

    /// The file as text: at most 1 MiB.
    ///
    /// Files of `/proc` answer from memory, so reading them here blocks nobody.
    package static func contents(of path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16_384)
        while bytes.count < 1 << 20 {
            let count = chunk.withUnsafeMutableBytes { read($0, from: descriptor) }
            guard count > 0 else { return count == 0 ? String(decoding: bytes, as: UTF8.self) : nil }
            bytes.append(contentsOf: chunk[..<count])
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func read(_ buffer: UnsafeMutableRawBufferPointer, from descriptor: Int32) -> Int {
        #if canImport(Glibc)
        Glibc.read(descriptor, buffer.baseAddress, buffer.count)
        #elseif canImport(Musl)
        Musl.read(descriptor, buffer.baseAddress, buffer.count)
        #else
        Darwin.read(descriptor, buffer.baseAddress, buffer.count)
        #endif
    }
}
