package import Model

/// A bucket, as the index knows it.
package struct Bucket: Sendable, Hashable {
    package let name: BucketName
    /// Who made it.
    package let owner: String
    package let created: Instant
    package let tags: [String: String]
    /// How many objects it holds.
    package let objectCount: Int
    /// The sum of their sizes.
    package let size: ByteCount
}

/// What the whole store holds.
package struct ObjectStoreStatistics: Sendable, Hashable {
    package let buckets: Int
    package let objects: Int
    /// The sum of the objects' sizes; parts of unfinished uploads do not count.
    package let bytes: Int64
}
