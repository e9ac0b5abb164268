package import Model

/// A bucket, as the index knows it.
package struct Bucket: Sendable, Hashable {
    package let name: BucketName
    /// Who made it.
    package let owner: String
    package let created: Instant
    package let tags: [String: String]
    package let versioning: Versioning
    /// How many objects it holds, earlier versions not among them.
    package let objectCount: Int
    /// How many earlier versions and delete markers it holds.
    package let versionCount: Int
    /// The sum of the sizes of objects and earlier versions.
    package let size: ByteCount
}

/// What the whole store holds.
package struct ObjectStoreStatistics: Sendable, Hashable {
    package let buckets: Int
    package let objects: Int
    /// The sum of the sizes of objects and earlier versions; parts of unfinished uploads do not count.
    package let bytes: Int64
}
