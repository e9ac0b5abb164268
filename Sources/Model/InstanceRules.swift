/// How many warm instances a service has, and how long each of them lives (ours; `instances` of a definition).
package struct InstanceRules: Sendable, Hashable {
    /// How many calls one line to a resident program may carry.
    package struct Batch: Sendable, Hashable {
        /// At most so many waiting files; from 1 to 1000.
        package var files: Int
        /// How long the first of them waits for others at most; up to a minute.
        package var wait: Duration

        package init(files: Int = 16, wait: Duration = .milliseconds(50)) {
            (self.files, self.wait) = (files, wait)
        }
    }

    /// The most that can be asked for: instances, and invocations at once in one of them.
    package static let most = 1000
    package static let longestIdle = Duration.seconds(30 * 86_400)
    package static let longestAge = Duration.seconds(365 * 86_400)
    package static let defaultIdle = Duration.seconds(300)

    /// `min`: how many are kept warm; `nil` leaves it to OSCAR's keys (`ServiceDefinition.minimumInstances`).
    package var minimum: Int?
    /// `max`: how many there may be at once, for runs and jobs together; at least 1, `nil` where only resources limit them.
    package var maximum: Int?
    /// An instance without work for so long is ended, as far as more than the minimum are left.
    package var idle = Self.defaultIdle
    /// An instance is replaced after so many; at least 1, `nil` for never.
    package var maximumInvocations: Int?
    /// An instance is replaced when it is that old; `nil` for never.
    package var maximumAge: Duration?
    /// How many invocations one instance has at once; at least 1, more than 1 only in the modes resident and server.
    package var concurrency = 1
    /// `fresh`: each invocation has a sandbox of its own and nothing is kept warm; mode script only.
    package var isFresh = false
    /// Mode resident only; `nil` where each file is a call of its own.
    package var batch: Batch?

    package init() {}
}

extension InstanceRules {
    init(_ reader: FieldReader?) throws(ServiceSpecificationError) {
        self.init()
        guard let reader else { return }
        if reader.value("min") != nil { minimum = try Self.count(reader, "min", 0...Self.most) }
        // As with other limits, 0 is none.
        maximum = Self.limit(try Self.count(reader, "max", 0...Self.most))
        idle = try Self.span(reader, "idle", atMost: Self.longestIdle, "30d") ?? idle
        maximumInvocations = Self.limit(try reader.count("max_invocations"))
        maximumAge = try Self.span(reader, "max_age", atMost: Self.longestAge, "365d")
        if reader.value("concurrency") != nil { concurrency = try Self.count(reader, "concurrency", 1...Self.most) }
        isFresh = try reader.bool("fresh")
        batch = try reader.object("batch").map { (fields) throws(ServiceSpecificationError) in try Batch(fields) }
    }

    private static func count(
        _ reader: FieldReader,
        _ key: String,
        _ range: ClosedRange<Int>
    ) throws(ServiceSpecificationError) -> Int {
        let count = try reader.count(key)
        guard range.contains(count) else {
            throw reader.invalid(key, "must be from \(range.lowerBound) to \(range.upperBound)")
        }
        return count
    }

    private static func limit(_ count: Int) -> Int? { count > 0 ? count : nil }

    private static func span(
        _ reader: FieldReader,
        _ key: String,
        atMost longest: Duration,
        _ name: String
    ) throws(ServiceSpecificationError) -> Duration? {
        guard let span = try reader.duration(key) else { return nil }
        guard span <= longest else { throw reader.invalid(key, "must be at most \(name)") }
        return span
    }

    /// Only what is not as it is by itself; `nil` where that is nothing.
    func json() -> JSONValue? {
        guard self != InstanceRules() else { return nil }
        return .object(of: [
            ("min", minimum.map { .integer($0) }),
            ("max", maximum.map { .integer($0) }),
            ("idle", idle == Self.defaultIdle ? nil : .string(idle.shortText)),
            ("max_invocations", maximumInvocations.map { .integer($0) }),
            ("max_age", maximumAge.map { .string($0.shortText) }),
            ("concurrency", concurrency == 1 ? nil : .integer(concurrency)),
            ("fresh", isFresh ? .bool(true) : nil),
            ("batch", batch?.json()),
        ])
    }
}

extension InstanceRules.Batch {
    private static let longestWait = Duration.seconds(60)

    init(_ reader: FieldReader) throws(ServiceSpecificationError) {
        self.init()
        if reader.value("files") != nil {
            files = try reader.count("files")
            guard (1...1000).contains(files) else { throw reader.invalid("files", "must be from 1 to 1000") }
        }
        guard let value = reader.value("wait") else { return }
        // 0 has a meaning here: what waits already goes together, and nothing waits for more.
        let text = value.stringValue ?? value.integerValue.map { "\($0)s" } ?? ""
        guard let wait = Duration(text: text), wait <= Self.longestWait else {
            throw reader.invalid("wait", "must be a time up to a minute, as \"50ms\"; 0 for what waits already")
        }
        self.wait = wait
    }

    func json() -> JSONValue { .object(["files": .integer(files), "wait": .string(wait.shortText)]) }
}
