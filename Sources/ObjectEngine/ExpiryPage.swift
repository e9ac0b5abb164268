package import Model

/// A step of a walk through a bucket in search of what has become too old.
///
/// A step looks at a bounded number of rows, so it may find nothing and yet not be the last.
package struct ExpiryPage<Item: Sendable, Place: Sendable>: Sendable {
    package let items: [Item]
    /// Where the next step goes on; `nil` at the end.
    package let next: Place?
}

/// A version that is not the latest of its key, as rules for expiry see it.
package struct NoncurrentVersion: Sendable, Hashable {
    package let version: ObjectVersion
    /// When something newer came.
    package let since: Instant
    /// How many versions of the key are newer, the latest not among them.
    package let newerNoncurrent: Int

    /// What deletes it, unless it has become something else meanwhile.
    package var deletion: Deletion {
        let deletion = version.deletion
        return Deletion(
            deletion.key,
            version: deletion.version,
            condition: deletion.condition,
            isOfNoncurrent: true
        )
    }
}

/// A place in a walk through noncurrent versions.
package struct NoncurrentPlace: Sendable, Hashable {
    let key: String
    let sequence: Int64
    let noncurrent: Int
}

extension ObjectVersion {
    /// What deletes this very version, unless it has become something else meanwhile.
    package var deletion: Deletion {
        switch content {
        case .object(let record): Deletion(key, version: id, condition: .ifUnchanged(record.content))
        case .marker: Deletion(key, version: id, condition: .ifUnchanged(nil))
        }
    }
}

extension ObjectRecord {
    /// What deletes the object, unless another has its key meanwhile; a versioned bucket keeps it as a version.
    package var deletion: Deletion { Deletion(key, condition: .ifUnchanged(content)) }
}
