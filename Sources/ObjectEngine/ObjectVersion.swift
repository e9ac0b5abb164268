package import Model

/// A deletion that a versioned bucket keeps as a version: as long as it is the latest, there seems to be no
/// object.
package struct DeleteMarker: Sendable, Hashable {
    package let key: ObjectKey
    package let version: VersionID
    package let lastModified: Instant
}

/// What a key, or a version of it, turns out to be.
package enum FoundVersion: Sendable, Hashable {
    case object(ObjectRecord)
    case marker(DeleteMarker)
    case nothing
}

/// A version in a list.
package struct ObjectVersion: Sendable, Hashable {
    package enum Content: Sendable, Hashable {
        case object(ObjectRecord)
        case marker(DeleteMarker)
    }

    package let content: Content
    package let id: VersionID
    /// When something newer came; `nil` for the latest version.
    package let replaced: Instant?

    package var isLatest: Bool { replaced == nil }

    package var key: ObjectKey {
        switch content {
        case .object(let record): record.key
        case .marker(let marker): marker.key
        }
    }

    package var lastModified: Instant {
        switch content {
        case .object(let record): record.lastModified
        case .marker(let marker): marker.lastModified
        }
    }
}

/// One page of a bucket's versions.
package struct VersionListing: Sendable {
    /// In the order of their keys' bytes, the newest version of a key first.
    package let versions: [ObjectVersion]
    package let commonPrefixes: [String]
    /// Whether more follows.
    package let isTruncated: Bool
    /// The last key or common prefix, for the next page; `nil` on the last page.
    package let nextKey: String?
    /// The last version; `nil` where the page ended with a common prefix.
    package let nextVersion: VersionID?
}

/// What a client wants deleted.
package struct Deletion: Sendable, Hashable {
    package let key: ObjectKey
    /// `nil` for the key: then a versioned bucket keeps what is there, and adds a marker.
    package let version: VersionID?
    package let condition: WriteCondition
    /// Whether it must not be the latest version; it may have become that since it was looked up.
    package let isOfNoncurrent: Bool

    package init(
        _ key: ObjectKey,
        version: VersionID? = nil,
        condition: WriteCondition = .none,
        isOfNoncurrent: Bool = false
    ) {
        (self.key, self.version, self.condition) = (key, version, condition)
        self.isOfNoncurrent = isOfNoncurrent
    }
}

/// What a deletion did.
package struct DeletionOutcome: Sendable, Hashable {
    /// Whether there was an object, or the version.
    package let wasThere: Bool
    /// The version that was to be deleted, or the marker that was made; `nil` in a bucket that never kept
    /// versions.
    package let version: VersionID?
    /// Whether that version is, or was, a marker.
    package let isMarker: Bool
}
