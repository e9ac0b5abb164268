import GRDB
package import Model
package import S3Wire

extension ObjectStore {
    /// Replaces the access control list of an object; nothing else about it changes.
    ///
    /// - Returns: whether there was one.
    /// - Throws: `noSuchBucket`, `storageFull`, `io`, `closed`.
    package func setAccessControl(
        _ list: CannedAccessControl,
        of key: ObjectKey,
        in bucket: BucketName
    ) async throws(ObjectStoreError) -> Bool {
        try await write { index in
            guard let record = try index.object(key, in: bucket) else { return false }
            var attributes = record.attributes
            attributes.accessControl = list
            try index.setAttributes(attributes, of: record)
            return true
        }
    }
}

extension ObjectIndex {
    /// Replaces what a client said about an object.
    func setAttributes(_ attributes: ObjectAttributes, of record: ObjectRecord) throws {
        try execute(
            "UPDATE objects SET attributes = ? WHERE content = ?", [attributes.text, record.content.text]
        )
    }
}
