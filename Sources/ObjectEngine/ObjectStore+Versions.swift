package import Model
package import S3Wire

extension ObjectStore {
    /// Makes a bucket keep versions, or stop doing so; it never forgets those that it has.
    ///
    /// - Throws: `noSuchBucket`, `storageFull`, `io`, `closed`.
    package func setVersioning(enabled: Bool, of bucket: BucketName) async throws(ObjectStoreError) {
        try await write { try $0.setVersioning(enabled ? .enabled : .suspended, of: bucket) }
    }

    /// The latest version of a key, or the one of that name.
    ///
    /// - Throws: `noSuchBucket`, `io`, `closed`.
    package func find(
        _ key: ObjectKey,
        version: VersionID? = nil,
        in bucket: BucketName
    ) async throws(ObjectStoreError) -> FoundVersion {
        try await read { try $0.find(key, version: version, in: $0.bucketRow(bucket)) }
    }

    /// Replaces the tags of an object, or of one of its versions; nothing else about it changes.
    ///
    /// - Returns: what was found; tags changed only where that is an object.
    /// - Throws: `noSuchBucket`, `storageFull`, `io`, `closed`.
    package func setTags(
        _ tags: TagSet,
        of key: ObjectKey,
        version: VersionID? = nil,
        in bucket: BucketName
    ) async throws(ObjectStoreError) -> FoundVersion {
        try await write { index in
            let found = try index.find(key, version: version, in: index.bucketRow(bucket))
            if case .object(let record) = found { try index.setTags(tags, of: record) }
            return found
        }
    }

    /// One page of a bucket's versions, in the order of their keys' bytes, the newest of a key first.
    ///
    /// - `prefix`, `delimiter`: as for `list`.
    /// - `afterKey`: the page begins behind this key's version `afterVersion`, or behind all its versions
    ///   where that is `nil`.
    /// - `limit`: of versions, markers and common prefixes together.
    ///
    /// - Throws: `noSuchBucket`, `io`, `closed`.
    package func listVersions(
        in bucket: BucketName,
        prefix: String = "",
        delimiter: String? = nil,
        afterKey: String? = nil,
        afterVersion: VersionID? = nil,
        limit: Int = 1000
    ) async throws(ObjectStoreError) -> VersionListing {
        let place = afterKey.map { ObjectIndex.VersionPlace(key: $0, version: afterVersion) }
        return try await read {
            try $0.listVersions(bucket, prefix: prefix, delimiter: delimiter, after: place, limit: limit)
        }
    }
}
