extension ServiceDefinition {
    /// How much of its past a service keeps (ours); what is not said is for the cluster to say.
    package struct Retention: Sendable, Hashable {
        /// At most so many ended jobs.
        package var jobs: Int?
        /// Ended jobs no longer than that.
        package var age: Duration?
        /// At most so much log; beyond it the oldest go.
        package var bytes: ByteCount?

        package init(jobs: Int? = nil, age: Duration? = nil, bytes: ByteCount? = nil) {
            (self.jobs, self.age, self.bytes) = (jobs, age, bytes)
        }

        package var isEmpty: Bool { jobs == nil && age == nil && bytes == nil }
    }
}

extension ServiceDefinition.Retention {
    init(_ reader: FieldReader?) throws(ServiceSpecificationError) {
        self.init()
        guard let reader else { return }
        if reader.value("jobs") != nil { jobs = try reader.count("jobs") }
        if let value = reader.value("age") {
            let text = value.stringValue ?? value.integerValue.map { "\($0)s" } ?? ""
            guard let age = Duration(text: text), age > .zero else {
                throw reader.invalid("age", "must be a time above 0, as \"12h\" or \"7d\"")
            }
            self.age = age
        }
        if let quantity = try reader.quantity("bytes") {
            do throws(QuantityError) { bytes = try quantity.byteCount() } catch {
                throw reader.invalid("bytes", error.message)
            }
        }
    }

    func json() -> JSONValue? {
        guard !isEmpty else { return nil }
        return .object(of: [
            ("jobs", jobs.map { .integer($0) }), ("age", age.map { .string($0.shortText) }),
            ("bytes", bytes.map { .integer($0.bytes) }),
        ])
    }
}
