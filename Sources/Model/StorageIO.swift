/// One input, output or mount of a service: a place in a storage, and which files (fdl.md section 3).
package struct StorageIO: Sendable, Hashable {
    package var provider: ProviderID
    /// Without slashes at its ends; in S3-like storages `bucket/folder`.
    package var path: String
    /// Outputs only: a name must begin with one of these, if there are any.
    package var prefixes: [String]
    /// Outputs only: a name must end with one of these, if there are any.
    package var suffixes: [String]
    /// Mounts only: options for the mounting program.
    package var options: String
    /// Inputs only: what makes a job.
    package var events: Set<EventKind> = [.created]

    package init(
        provider: ProviderID = .clusterStore,
        path: String,
        prefixes: [String] = [],
        suffixes: [String] = [],
        options: String = ""
    ) {
        self.provider = provider
        self.path = path
        self.prefixes = prefixes
        self.suffixes = suffixes
        self.options = options
    }

    /// The first element of the path: in S3-like storages the bucket.
    package var bucket: String { String(path.prefix { $0 != "/" }) }

    /// The bucket as a checked name; `nil` where a foreign storage allows what this cluster's own does not.
    package var bucketName: BucketName? { try? BucketName(bucket) }

    /// What follows the bucket, without slashes at its ends; empty where the path is only a bucket.
    package var folder: String { String(path.drop { $0 != "/" }.drop { $0 == "/" }) }

    /// What the keys of all objects in the folder begin with: `folder/`, or nothing where the path is only a
    /// bucket.
    package var keyPrefix: String { folder.isEmpty ? "" : folder + "/" }

    /// The key under which a result of that name is stored.
    package func key(for relativeName: some StringProtocol) -> String { keyPrefix + relativeName }

    /// Whether a result of that name, relative to the output directory, goes here: it has one of the prefixes and one
    /// of the suffixes; an empty list lets every name pass (supervisor.md section 7).
    ///
    /// Names are compared byte by byte.
    package func accepts(relativeName: some StringProtocol) -> Bool {
        let name = Array(relativeName.utf8)
        let hasPrefix = prefixes.isEmpty || prefixes.contains { name.starts(with: $0.utf8) }
        let hasSuffix =
            suffixes.isEmpty || suffixes.contains { name.reversed().starts(with: $0.utf8.reversed()) }
        return hasPrefix && hasSuffix
    }

    /// Whether an object of the cluster's own store lies in this input's folder: `bucket/folder/` and below.
    ///
    /// A key that ends in a slash stands for a folder and never triggers anything.
    package func matches(bucket: BucketName, key: ObjectKey) -> Bool {
        provider == .clusterStore && bucket.text == self.bucket && key.text.utf8.starts(with: keyPrefix.utf8)
            && key.text.utf8.last != UInt8(ascii: "/")
    }
}
