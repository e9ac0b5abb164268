/// The name of a time zone in the IANA database, as `Europe/Madrid`; whether there is such a zone is for others to say.
package struct TimeZoneName: Sendable, Hashable, CustomStringConvertible {
    package static let utc = TimeZoneName(known: "UTC")

    package let text: String

    private init(known text: String) { self.text = text }

    /// `nil` for what cannot be the name of a zone; names are paths below the folder of zones, so none leads out of it.
    package init?(_ text: String) {
        let parts = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        let areNames = parts.allSatisfy { part in
            !part.isEmpty && part.first != UInt8(ascii: ".") && part.first != UInt8(ascii: "-")
                && part.allSatisfy { byte in
                    (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
                        || byte == 0x2D || byte == 0x5F || byte == 0x2B
                }
        }
        guard (1...64).contains(text.utf8.count), areNames else { return nil }
        self.text = text
    }

    package var description: String { text }
}

/// One entry of a service's `schedule` (ours): when to make a job by the clock, and what it gets.
package struct ServiceSchedule: Sendable, Hashable {
    package enum Timing: Sendable, Hashable {
        case cron(CronExpression, TimeZoneName)
        /// Whole multiples of that many seconds since 1970.
        case rate(seconds: Int64)
    }

    /// What becomes of times that passed while the cluster did not run.
    package enum MissedRuns: Sendable, Hashable {
        case skip
        /// One job for all of them.
        case once
        /// A job for each of the last so many.
        case all(limit: Int)
    }

    /// The most missed times that `all` makes up for.
    package static let maximumMissed = 1000
    static let standardMissed = 100
    /// In bytes; the event of a job is kept in the database.
    static let maximumEvent = 48 << 10

    /// Unique in its service; where none was given, what it says.
    package var name: String
    package var timing: Timing
    package var missed: MissedRuns
    /// What the function gets; `nil` for a document that says which schedule is due and when.
    package var event: JSONValue?

    package init(name: String, timing: Timing, missed: MissedRuns = .once, event: JSONValue? = nil) {
        (self.name, self.timing, self.missed, self.event) = (name, timing, missed, event)
    }

    /// When it is due, in words: another text means that it was changed.
    package var expression: String {
        switch timing {
        case .cron(let cron, .utc): cron.text
        case .cron(let cron, let zone): "\(cron.text) \(zone)"
        case .rate(let seconds): "rate(\(Self.text(seconds: seconds)))"
        }
    }

    package var timeZone: TimeZoneName {
        switch timing {
        case .cron(_, let zone): zone
        case .rate: .utc
        }
    }

    /// The bytes that the function gets as its event.
    package func eventBytes(service: ServiceName, due: Instant) -> [UInt8] {
        if let event { return event.stringValue.map { Array($0.utf8) } ?? event.bytes() }
        return JSONValue.object([
            "source": .string("apus:schedule"), "service": .string(service.text), "schedule": .string(name),
            "time": .string(due.rfc3339()),
        ]).bytes()
    }

    func json() -> JSONValue {
        var object: JSONObject = ["name": .string(name)]
        switch timing {
        case .cron(let cron, let zone):
            object["cron"] = .string(cron.text)
            object["time_zone"] = .string(zone.text)
        case .rate(let seconds): object["rate"] = .string(Self.text(seconds: seconds))
        }
        switch missed {
        case .skip: object["missed"] = .string("skip")
        case .once: object["missed"] = .string("once")
        case .all(let limit):
            object["missed"] = .string("all")
            object["max_missed"] = .integer(limit)
        }
        object["event"] = event
        return .object(object)
    }

    private static func text(seconds: Int64) -> String {
        let units: [(Int64, String)] = [(86_400, "day"), (3600, "hour"), (60, "minute"), (1, "second")]
        guard let (length, unit) = units.first(where: { seconds % $0.0 == 0 }) else { return "\(seconds) seconds" }
        let count = seconds / length
        return "\(count) \(unit)\(count == 1 ? "" : "s")"
    }
}

extension ServiceSchedule {
    private static let nextTo400Years: Int64 = 400 * 366 * 86_400

    /// Reads a service's schedules: a list, or one; each an object, or only the text that says when.
    static func read(_ reader: FieldReader) throws(ServiceSpecificationError) -> [ServiceSchedule] {
        guard let value = reader.value("schedule") else { return [] }
        var schedules: [ServiceSchedule] = []
        let elements = value.arrayValue ?? [value]
        for (index, element) in elements.enumerated() where !element.isNull {
            let field = value.arrayValue == nil ? reader.field("schedule") : "\(reader.field("schedule"))[\(index)]"
            schedules.append(try ServiceSchedule(element, field: field))
        }
        guard schedules.count <= 100 else {
            throw reader.invalid("schedule", "a service has at most 100 schedules")
        }
        for (index, schedule) in schedules.enumerated()
        where schedules[..<index].contains(where: { $0.name == schedule.name }) {
            throw reader.invalid("schedule", "\"\(schedule.name)\" is there twice; give one another name")
        }
        return schedules
    }

    private init(_ value: JSONValue, field: String) throws(ServiceSpecificationError) {
        if let text = value.stringValue {
            let timing = try Self.timing(text, zone: nil, field: field)
            self.init(name: "", timing: timing)
            name = expression
            return
        }
        let reader = try FieldReader(value, path: field)
        let (cron, rate) = (try reader.string("cron"), try reader.string("rate"))
        guard cron.isEmpty != rate.isEmpty else {
            throw ServiceSpecificationError(
                .invalid, field: field,
                "write either cron: \"0 2 * * *\" or rate: \"5 minutes\"")
        }
        let zone = try Self.zone(reader)
        let timing =
            cron.isEmpty
            ? try Self.rate(rate, field: reader.field("rate"))
            : try Self.timing(cron, zone: zone, field: reader.field("cron"))
        if case .rate = timing, zone != nil {
            throw reader.invalid("time_zone", "goes with cron; a rate is the same in every zone")
        }
        self.init(name: try Self.name(reader), timing: timing, missed: try Self.missed(reader))
        if name.isEmpty { name = expression }
        if let event = reader.value("event") {
            guard event.bytes().count <= Self.maximumEvent else {
                throw reader.invalid("event", "has at most \(Self.maximumEvent >> 10) KiB; put more into a bucket")
            }
            self.event = event
        }
    }

    private static func zone(_ reader: FieldReader) throws(ServiceSpecificationError) -> TimeZoneName? {
        let text = try reader.string("time_zone")
        guard !text.isEmpty else { return nil }
        guard let zone = TimeZoneName(text) else {
            throw reader.invalid("time_zone", "\"\(text)\" is not the name of a time zone, as Europe/Madrid or UTC")
        }
        return zone
    }

    private static func name(_ reader: FieldReader) throws(ServiceSpecificationError) -> String {
        let text = try reader.string("name")
        guard text.utf8.count <= 600, text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
            throw reader.invalid("name", "has at most 600 characters, and none that cannot be seen")
        }
        return text
    }

    private static func missed(_ reader: FieldReader) throws(ServiceSpecificationError) -> MissedRuns {
        let limit = try reader.count("max_missed", default: standardMissed)
        guard (1...maximumMissed).contains(limit) else {
            throw reader.invalid("max_missed", "must be from 1 to \(maximumMissed)")
        }
        let text = try reader.string("missed", default: "once").lowercased()
        switch text {
        case "skip": return .skip
        case "once", "": return .once
        case "all": return .all(limit: limit)
        default: throw reader.invalid("missed", "\"\(text)\" is not allowed: write skip, once or all")
        }
    }

    /// `rate(…)` or a cron expression.
    private static func timing(
        _ text: String,
        zone: TimeZoneName?,
        field: String
    ) throws(ServiceSpecificationError) -> Timing {
        let trimmed = text.trimmingWhiteSpace()
        if trimmed.lowercased().hasPrefix("rate(") { return try rate(trimmed, field: field) }
        do throws(CronError) {
            return .cron(try CronExpression(trimmed), zone ?? .utc)
        } catch {
            throw ServiceSpecificationError(.invalid, field: field, error.message)
        }
    }

    /// `rate(5 minutes)`, `5 minutes` or `5m`.
    private static func rate(_ text: String, field: String) throws(ServiceSpecificationError) -> Timing {
        var inner = text.trimmingWhiteSpace().lowercased()
        if inner.hasPrefix("rate("), inner.hasSuffix(")") { inner = String(inner.dropFirst(5).dropLast()) }
        let words = inner.split(separator: " ")
        let units: [Substring: Int64] = ["second": 1, "minute": 60, "hour": 3600, "day": 86_400]
        var seconds: Int64?
        if words.count == 2, let count = Int64(words[0]), count > 0 {
            let unit = words[1].hasSuffix("s") ? words[1].dropLast() : words[1]
            seconds = units[unit].map { $0.saturatingProduct(with: count) }
        } else if let duration = Duration(text: inner), duration.components.attoseconds == 0 {
            seconds = duration.components.seconds
        }
        guard let seconds, seconds > 0, seconds < nextTo400Years else {
            throw ServiceSpecificationError(
                .invalid, field: field,
                "\"\(text)\" is not a rate: write as rate(5 minutes), rate(1 hour) or rate(7 days)")
        }
        return .rate(seconds: seconds)
    }
}
