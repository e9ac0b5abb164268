import Model

/// What a user writes for something in a bucket: `BUCKET`, `BUCKET/KEY`, or with `s3://` before it.
struct RemotePath: Hashable, CustomStringConvertible {
    var bucket: BucketName
    /// Empty for the bucket itself.
    var key: String

    /// - Throws: `invalidInput` for a wrong bucket name or a key that no object can have.
    init(_ text: String) throws(CommandError) {
        let path = text.hasPrefix("s3://") ? text.dropFirst(5) : text[...]
        let name = path.prefix { $0 != "/" }
        do {
            bucket = try BucketName(name)
            key = String(path.dropFirst(name.count + 1))
            if !key.isEmpty { _ = try ObjectKey(key) }
        } catch {
            throw CommandError(.invalidInput, "\"\(text)\" must be BUCKET/KEY: \(error.message)")
        }
    }

    var description: String { key.isEmpty ? bucket.text : "\(bucket.text)/\(key)" }

    /// Whether it means a place for several objects: a bucket, or a key with a slash at its end.
    var isFolder: Bool { key.isEmpty || key.hasSuffix("/") }

    /// What the keys of all objects in this folder begin with; empty for a whole bucket.
    var folderPrefix: String { isFolder ? key : key + "/" }

    /// The part of a key that names a file below `folderPrefix`; `nil` where it would lead out of a folder or has no
    /// name that a file system can hold: an absolute path, `.`, `..`, doubled slashes.
    static func localParts(of key: String, below prefix: String) -> [String]? {
        guard key.hasPrefix(prefix) else { return nil }
        let parts = key.dropFirst(prefix.count).split(separator: "/", omittingEmptySubsequences: false)
        let isGood = parts.allSatisfy { part in
            !part.isEmpty && part != "." && part != ".." && part.utf8.count <= 255 && !part.utf8.contains(0)
        }
        return isGood ? parts.map(String.init) : nil
    }
}
