extension TimeZoneRules {
    /// More transitions than any zone has in its file.
    private static let maximumTransitions = 10_000

    /// Reads a compiled zone (TZif, RFC 9636), of version 1 to 4; `nil` for what is none.
    package init?(file bytes: [UInt8]) {
        var reader = Reader(bytes)
        guard let head = reader.header() else { return nil }
        guard head.version >= 0x32 else {
            self.init(&reader, head, wide: false)
            return
        }
        // A version 2 file has all of it twice; the second time with 64-bit times.
        guard reader.skip(head.length(wide: false)), let wide = reader.header() else { return nil }
        self.init(&reader, wide, wide: true)
    }

    private init?(_ reader: inout Reader, _ head: Header, wide: Bool) {
        guard head.times <= Self.maximumTransitions, (1...256).contains(head.types) else { return nil }
        var (times, kinds, offsets): ([Int64], [Int], [Int64]) = ([], [], [])
        for _ in 0..<head.times {
            guard let time = wide ? reader.integer(8) : reader.integer(4) else { return nil }
            times.append(time)
        }
        for _ in 0..<head.times {
            guard let kind = reader.byte(), Int(kind) < head.types else { return nil }
            kinds.append(Int(kind))
        }
        for _ in 0..<head.types {
            guard let offset = reader.integer(4), abs(offset) <= 26 * 3600, reader.skip(2) else { return nil }
            offsets.append(offset)
        }
        guard zip(times, times.dropFirst()).allSatisfy({ $0 < $1 }) else { return nil }
        var tail: YearlyTimeRule?
        if wide {
            guard reader.skip(head.characters + head.leaps * 12 + head.standards + head.universals),
                let text = reader.footer()
            else { return nil }
            if !text.isEmpty {
                guard let rule = YearlyTimeRule(text) else { return nil }
                tail = rule
            }
        }
        self.init(
            transitions: zip(times, kinds).map { Transition(time: $0, offset: offsets[$1]) },
            initialOffset: offsets[0], tail: tail)
    }

    private struct Header {
        var version: UInt8
        var universals: Int, standards: Int, leaps: Int, times: Int, types: Int, characters: Int

        func length(wide: Bool) -> Int {
            let width = wide ? 8 : 4
            return times * (width + 1) + types * 6 + characters + leaps * (width + 4) + standards + universals
        }
    }

    private struct Reader {
        private var rest: ArraySlice<UInt8>

        init(_ bytes: [UInt8]) { rest = bytes[...] }

        mutating func skip(_ count: Int) -> Bool {
            guard count >= 0, rest.count >= count else { return false }
            rest = rest.dropFirst(count)
            return true
        }

        mutating func byte() -> UInt8? { rest.popFirst() }

        /// Big-endian with sign.
        mutating func integer(_ width: Int) -> Int64? {
            guard rest.count >= width else { return nil }
            let value = rest.prefix(width).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            rest = rest.dropFirst(width)
            return width == 8 ? Int64(bitPattern: value) : Int64(Int32(truncatingIfNeeded: value))
        }

        mutating func header() -> Header? {
            guard rest.starts(with: "TZif".utf8), skip(4), let version = byte(), skip(15) else { return nil }
            var counts: [Int] = []
            for _ in 0..<6 {
                guard let count = integer(4), (0...1_000_000).contains(count) else { return nil }
                counts.append(Int(count))
            }
            return Header(
                version: version, universals: counts[0], standards: counts[1], leaps: counts[2], times: counts[3],
                types: counts[4], characters: counts[5])
        }

        /// The text between the two line feeds at the end.
        mutating func footer() -> [UInt8]? {
            guard byte() == 0x0A, let end = rest.firstIndex(of: 0x0A),
                rest.distance(from: rest.startIndex, to: end) < 200
            else { return nil }
            return Array(rest[..<end])
        }
    }
}
