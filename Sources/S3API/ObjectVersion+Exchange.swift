import HTTPTypes
import Model
import ObjectEngine
import S3Wire

extension S3Exchange {
    /// The version that the query names; `nil` for the latest.
    ///
    /// - Throws: `S3Error` with `invalidArgument`.
    func version() throws(S3Error) -> VersionID? {
        guard let text = query["versionId"] else { return nil }
        return try VersionID(parsing: text)
    }
}

extension VersionID {
    /// - Throws: `S3Error` with `invalidArgument` for what can be no version's name.
    init(parsing text: String, of name: String = "versionId") throws(S3Error) {
        guard let version = VersionID(text) else {
            throw S3Error(
                .invalidArgument,
                text.isEmpty ? "Version id cannot be the empty string" : "Invalid version id specified",
                details: [("ArgumentName", name), ("ArgumentValue", text)]
            )
        }
        self = version
    }
}

extension FoundVersion {
    /// The object that a request is about.
    ///
    /// - Parameter version: what was looked for; `nil` for the latest.
    /// - Throws: `S3Error` with `noSuchKey`, `noSuchVersion`, and `methodNotAllowed` where a delete marker is named.
    func object(_ key: ObjectKey, version: VersionID?) throws(S3Error) -> ObjectRecord {
        switch self {
        case .object(let record): return record
        case .nothing:
            guard let version else { throw S3Error(.noSuchKey, details: [("Key", key.text)]) }
            throw S3Error(.noSuchVersion, details: [("Key", key.text), ("VersionId", version.text)])
        case .marker(let marker):
            let headers = [("x-amz-delete-marker", "true"), ("x-amz-version-id", marker.version.text)]
            guard version != nil else {
                throw S3Error(.noSuchKey, details: [("Key", key.text)], headers: headers)
            }
            throw S3Error(
                .methodNotAllowed,
                details: [("Method", "GET"), ("ResourceType", "DeleteMarker")],
                headers: headers + [("allow", "DELETE"), ("last-modified", HTTPDate.text(marker.lastModified))]
            )
        }
    }
}

extension HTTPFields {
    /// Names the version that the answer is about, in buckets that have versions.
    mutating func set(_ version: VersionID?) {
        if let version { set("x-amz-version-id", version.text) }
    }
}
