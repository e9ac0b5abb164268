/// What an administrator asks to be changed of a user's quota (oscar-api.md 9.3).
///
/// An amount is a quantity; `none` takes the limit away, `default` goes back to what everybody has.
package struct QuotaRequest: Sendable, Hashable {
    /// What differs from now on.
    package let overrides: QuotaOverrides
    /// What goes back to what everybody has.
    package let resets: Set<QuotaField>

    /// Where a field's amount may stand: a path of keys, which match in any case.
    private static let places: [(path: [String], field: QuotaField)] = [
        (["cpu"], .cpu), (["memory"], .memory), (["gpu"], .gpu), (["ephemeral_storage"], .ephemeralStorage),
        // The dashboard's spelling.
        (["ephemeral-storage"], .ephemeralStorage),
        (["volumes", "disk"], .volumeBytes), (["volumes", "volumes"], .volumes),
        (["volumes", "max_disk_per_volume"], .largestVolume), (["volumes", "min_disk_per_volume"], .smallestVolume),
        (["minio", "buckets"], .buckets), (["minio", "storage_per_bucket"], .bucketBytes),
        // Ours: OSCAR has no limit of all buckets together.
        (["minio", "storage_total"], .totalBytes),
    ]

    /// - Throws: `QuotaRequestError`.
    package init(_ json: JSONValue) throws(QuotaRequestError) {
        guard let object = json.objectValue else { throw .invalid("the body must be an object") }
        var overrides: QuotaOverrides = [:]
        var resets: Set<QuotaField> = []
        for (path, field) in Self.places {
            guard let text = try Self.text(at: path, in: object) else { continue }
            do throws(QuantityError) {
                if let limit = try Self.limit(text, of: field) {
                    overrides[field] = limit
                } else {
                    resets.insert(field)
                }
            } catch {
                throw .invalid("\(path.joined(separator: ".")): \(error)")
            }
        }
        // As in OSCAR, graphics processors alone are not enough.
        guard !resets.union(overrides.keys).subtracting([.gpu]).isEmpty else { throw .nothing }
        if let least = overrides[.smallestVolume]?.amount, let most = overrides[.largestVolume]?.amount, least > most {
            throw .invalid("volumes.min_disk_per_volume: must not be more than max_disk_per_volume")
        }
        self.overrides = overrides
        self.resets = resets
    }

    private static func text(at path: [String], in object: JSONObject) throws(QuotaRequestError) -> String? {
        var object = object
        for key in path.dropLast() {
            guard let inner = object.value(ignoringCase: key), !inner.isNull else { return nil }
            guard let next = inner.objectValue else { throw .invalid("\(key): must be an object") }
            object = next
        }
        guard let last = path.last, let value = object.value(ignoringCase: last) else { return nil }
        switch value {
        case .null: return nil
        case .string(let text): return text.isEmpty ? nil : text
        case .number(let text): return text
        case .bool, .array, .object: throw .invalid("\(path.joined(separator: ".")): must be a text")
        }
    }

    private static func limit(_ text: String, of field: QuotaField) throws(QuantityError) -> QuotaLimit? {
        switch text.lowercased() {
        case "default": return nil
        case "none": return .unlimited
        default:
            let amount = try field.amount(text)
            // In OSCAR 0 buckets and a bucket of 0 bytes stand for no limit.
            let isUnlimited = amount == 0 && (field == .buckets || field == .bucketBytes)
            return isUnlimited ? .unlimited : .most(amount)
        }
    }
}

/// Why a request for another quota cannot be followed.
package enum QuotaRequestError: Error, Hashable, CustomStringConvertible {
    /// It changes nothing.
    case nothing
    case invalid(String)

    package var description: String {
        switch self {
        case .nothing: "cpu, memory, ephemeral_storage, volumes or minio must be provided"
        case .invalid(let text): text
        }
    }
}
