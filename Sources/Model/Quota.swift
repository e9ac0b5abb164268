/// Something that a user may have only so much of.
///
/// The raw value is the word for it in settings, commands and the store.
package enum QuotaField: String, Sendable, Hashable, CaseIterable {
    /// Processor time of all jobs and runs that are under way together.
    case cpu
    /// Memory of all jobs and runs that are under way together.
    case memory
    case gpu
    case ephemeralStorage = "ephemeral_storage"
    /// How many buckets.
    case buckets
    /// Bytes in one bucket, earlier versions and parts of unfinished uploads included.
    case bucketBytes = "storage_per_bucket"
    /// Bytes in all buckets together.
    case totalBytes = "storage_total"
    /// How many volumes.
    case volumes
    /// The sizes of all volumes together.
    case volumeBytes = "volume_disk"
    case largestVolume = "max_disk_per_volume"
    case smallestVolume = "min_disk_per_volume"

    /// What an amount is counted in.
    private enum Unit { case thousandths, bytes, count }

    private var unit: Unit {
        switch self {
        case .cpu: .thousandths
        case .memory, .ephemeralStorage, .bucketBytes, .totalBytes, .volumeBytes, .largestVolume, .smallestVolume:
            .bytes
        case .gpu, .buckets, .volumes: .count
        }
    }

    /// Reads an amount, as `2`, `500m` or `10Gi`: thousandths of a core, bytes, or a number of things.
    ///
    /// - Throws: `QuantityError` that says what is wrong.
    package func amount(_ text: String) throws(QuantityError) -> Int64 {
        let quantity = try Quantity(text)
        switch unit {
        case .thousandths: return try quantity.milliCPU().thousandths
        case .bytes: return try quantity.byteCount().bytes
        case .count:
            let thousandths = try quantity.milliCPU().thousandths
            guard thousandths % 1000 == 0 else { throw QuantityError("\"\(text)\" must be a whole number") }
            return thousandths / 1000
        }
    }

    /// An amount in the notation of Kubernetes, which `amount` reads.
    package func text(_ amount: Int64) -> String {
        switch unit {
        case .thousandths: amount % 1000 == 0 ? "\(amount / 1000)" : "\(amount)m"
        case .bytes: Self.byteText(amount)
        case .count: "\(amount)"
        }
    }

    /// A number of bytes in the largest binary unit that leaves nothing over: `5Gi`, `1536Mi`, `1000`.
    package static func byteText(_ bytes: Int64) -> String {
        guard bytes > 0 else { return "\(bytes)" }
        let units = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"]
        let power = min(bytes.trailingZeroBitCount / 10, units.count - 1)
        return "\(bytes >> (10 * power))\(units[power])"
    }
}

/// How much one user may have; what is `nil` has no limit.
package struct Quota: Sendable, Hashable {
    private var amounts: [QuotaField: Int64] = [:]

    package init() {}

    /// Reads `cpu=2,memory=2Gi,buckets=10,…`.
    ///
    /// - Throws: `QuantityError` for an unknown or repeated word, and for a malformed amount.
    package init(text: String) throws(QuantityError) {
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            guard let equals = part.firstIndex(of: "=") else {
                throw QuantityError("\"\(part)\" is no limit: write NAME=AMOUNT")
            }
            let word = part[..<equals].drop { $0 == " " }.replacing("-", with: "_")
            guard let field = QuotaField(rawValue: String(word)) else {
                let known = QuotaField.allCases.map(\.rawValue).joined(separator: ", ")
                throw QuantityError("\"\(word)\" is nothing that can be limited: write \(known)")
            }
            let amount = try field.amount(String(part[part.index(after: equals)...]))
            guard amounts.updateValue(amount, forKey: field) == nil else {
                throw QuantityError("\(word) is there twice")
            }
        }
    }

    /// In the unit of the field: thousandths of a core, bytes, or a number; `nil` where there is no limit.
    package subscript(_ field: QuotaField) -> Int64? {
        get { amounts[field] }
        set { amounts[field] = newValue.map { max(0, $0) } }
    }

    package var isUnlimited: Bool { amounts.isEmpty }

    package var cpu: MilliCPU? { self[.cpu].map { MilliCPU($0) } }
    package var memory: ByteCount? { self[.memory].map { ByteCount($0) } }
    package var gpu: Int? { self[.gpu].map { Int(clamping: $0) } }
    package var ephemeralStorage: ByteCount? { self[.ephemeralStorage].map { ByteCount($0) } }
    package var buckets: Int? { self[.buckets].map { Int(clamping: $0) } }
    package var bucketBytes: ByteCount? { self[.bucketBytes].map { ByteCount($0) } }
    package var totalBytes: ByteCount? { self[.totalBytes].map { ByteCount($0) } }
    package var volumes: Int? { self[.volumes].map { Int(clamping: $0) } }
    package var volumeBytes: ByteCount? { self[.volumeBytes].map { ByteCount($0) } }
    package var largestVolume: ByteCount? { self[.largestVolume].map { ByteCount($0) } }
    package var smallestVolume: ByteCount? { self[.smallestVolume].map { ByteCount($0) } }
}

/// What one user may have of something, where that is not what everybody may have.
package enum QuotaLimit: Sendable, Hashable {
    /// Any amount.
    case unlimited
    case most(Int64)

    /// The amount; `nil` for any.
    package var amount: Int64? { if case .most(let amount) = self { amount } else { nil } }
}

/// How a user's quota differs from that of everybody.
package typealias QuotaOverrides = [QuotaField: QuotaLimit]

extension Quota {
    /// This quota, which is everybody's, with what differs for one user.
    package func with(_ overrides: QuotaOverrides) -> Quota {
        var quota = self
        for (field, limit) in overrides { quota[field] = limit.amount }
        return quota
    }
}
