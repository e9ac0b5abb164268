/// How the link to a storage provider may be used: keys of our own in its entry under `storage_providers`.
package struct LinkLimits: Sendable, Hashable {
    /// Bytes a second; `nil` for as fast as it goes.
    package var bandwidth: ByteCount?
    /// When something may be sent; always where there is none.
    package var windows: [DailyWindow]
    /// The zone of the windows' times: `UTC`, or an offset as `+02:00`.
    package var timeZone: String

    package init(bandwidth: ByteCount? = nil, windows: [DailyWindow] = [], timeZone: String = "UTC") {
        (self.bandwidth, self.windows, self.timeZone) = (bandwidth, windows, timeZone)
    }

    /// When the link opens; `nil` where it is open.
    ///
    /// Where the zone's clocks change in between, this may be too early; who then asks again is told again.
    ///
    /// - Parameter offset: the seconds by which the zone is ahead of UTC at an instant.
    package func opening(at now: Instant, offset: (Instant) -> Int64) -> Instant? {
        guard !windows.isEmpty else { return nil }
        let day: Int64 = 86_400
        let local = now.seconds.saturatingSum(with: offset(now))
        let second = ((local % day) + day) % day
        guard !windows.contains(where: { $0.contains(second: second) }) else { return nil }
        let wait = windows.map { (Int64($0.start) * 60 - second + day) % day }.min() ?? day
        return Instant(seconds: now.seconds.saturatingSum(with: max(1, wait)))
    }

    /// Reads a rate: a number with a unit as in `500k`, `2Mi`, `2MiB/s` or `10Mbit/s`; bits are eighths of bytes.
    ///
    /// - Returns: `nil` for anything else, and for less than a byte a second.
    package static func rate(_ text: String) -> ByteCount? {
        var text = text.trimmingWhiteSpace()[...]
        if text.hasSuffix("/s") { text = text.dropLast(2) }
        var isBits = false
        if text.hasSuffix("bit") {
            (text, isBits) = (text.dropLast(3), true)
        } else if text.hasSuffix("B") {
            text = text.dropLast()
        }
        guard let bytes = try? Quantity(text.trimmingWhiteSpace()).byteCount().bytes else { return nil }
        let rate = isBits ? bytes / 8 : bytes
        return rate > 0 ? ByteCount(rate) : nil
    }
}

/// A time of every day, to the minute; one that ends before it begins reaches over midnight.
package struct DailyWindow: Sendable, Hashable, CustomStringConvertible {
    /// Minutes since midnight: 0 to 1439.
    package let start: Int
    /// The first minute that is outside: 1 to 1440.
    package let end: Int

    /// Reads `22:00-06:00`; `nil` for anything else, and for a window of no length.
    package init?(_ text: String) {
        let parts = text.trimmingWhiteSpace().split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let start = Self.minute(parts[0]), let end = Self.minute(parts[1]) else { return nil }
        guard start < 1440, start != end else { return nil }
        self.start = start
        self.end = end == 0 ? 1440 : end
    }

    func contains(second: Int64) -> Bool {
        let (start, end) = (Int64(start) * 60, Int64(end) * 60)
        return start < end ? (start..<end).contains(second) : second >= start || second < end
    }

    private static func minute(_ text: Substring) -> Int? {
        let parts = String(text).trimmingWhiteSpace().split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2,
            parts.allSatisfy({ $0.utf8.count == 2 && $0.utf8.allSatisfy { (0x30...0x39).contains($0) } }),
            let hour = Int(parts[0]), let minute = Int(parts[1]), minute < 60, hour < 24 || (hour == 24 && minute == 0)
        else { return nil }
        return hour * 60 + minute
    }

    package var description: String {
        func text(_ minutes: Int) -> String {
            let (hour, minute) = minutes.quotientAndRemainder(dividingBy: 60)
            return "\(hour < 10 ? "0" : "")\(hour):\(minute < 10 ? "0" : "")\(minute)"
        }
        return "\(text(start))-\(text(end))"
    }
}

extension LinkLimits {
    /// A fixed offset as a zone: `UTC`, `Z`, `+02:00`; seconds ahead of UTC.
    package static func fixedOffset(_ zone: String) -> Int64? {
        if zone == "UTC" || zone == "Z" { return 0 }
        let bytes = Array(zone.utf8)
        guard bytes.count == 6, bytes[0] == 0x2B || bytes[0] == 0x2D,
            let window = DailyWindow("00:00-\(zone.dropFirst())"), window.end <= 18 * 60
        else { return zone == "+00:00" || zone == "-00:00" ? 0 : nil }
        return Int64(window.end) * (bytes[0] == 0x2B ? 60 : -60)
    }

    init(_ reader: FieldReader) throws(ServiceSpecificationError) {
        self.init()
        let rate = try reader.text("bandwidth")
        if !rate.isEmpty {
            guard let bandwidth = Self.rate(rate) else {
                throw reader.invalid("bandwidth", "\"\(rate)\" is no rate: write 500k, 2MiB/s or 10Mbit/s")
            }
            self.bandwidth = bandwidth
        }
        for text in try reader.strings("windows") {
            guard let window = DailyWindow(text) else {
                throw reader.invalid("windows", "\"\(text)\" is no time of day: write it as 22:00-06:00")
            }
            windows.append(window)
        }
        let zone = try reader.text("time_zone").trimmingWhiteSpace()
        guard !zone.isEmpty else { return }
        guard Self.fixedOffset(zone) != nil else {
            throw reader.invalid("time_zone", "\"\(zone)\" is no offset from UTC: write UTC or +02:00")
        }
        timeZone = zone
    }

    /// The members of a provider's entry; none where nothing is limited.
    var members: [(String, JSONValue?)] {
        [
            ("bandwidth", bandwidth.map { .string("\($0.bytes)B/s") }),
            ("windows", windows.isEmpty ? nil : .strings(windows.map(\.description))),
            ("time_zone", windows.isEmpty ? nil : .string(timeZone)),
        ]
    }
}

extension StorageProviders {
    /// How the link to a provider may be used.
    package func link(_ id: ProviderID) -> LinkLimits {
        switch id.kind {
        case .minio, .s3: objectStore(id)?.link ?? LinkLimits()
        case .webdav: webdav[id.name]?.link ?? LinkLimits()
        case .onedata, .rucio: LinkLimits()
        }
    }
}
