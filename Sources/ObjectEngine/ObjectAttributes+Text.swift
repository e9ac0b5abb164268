import Model
import S3Wire

/// The form of the attributes in the index: a JSON object that leaves out what has its usual value; empty for
/// nothing.
///
/// The media type has a column of its own.
extension ObjectAttributes {
    var text: String {
        var members: [(String, JSONValue)] = []
        if !userMetadata.isEmpty { members.append(("metadata", .map(userMetadata))) }
        if !headers.isEmpty { members.append(("headers", .map(headers))) }
        if storageClass != "STANDARD" { members.append(("storageClass", .string(storageClass))) }
        if !checksums.isEmpty {
            let named = Dictionary(uniqueKeysWithValues: checksums.map { ($0.key.rawValue, $0.value) })
            members.append(("checksums", .map(named)))
        }
        if checksumType != .fullObject { members.append(("checksumType", .string(checksumType.rawValue))) }
        if accessControl != .private { members.append(("acl", .string(accessControl.rawValue))) }
        return members.isEmpty ? "" : JSONValue.object(JSONObject(members)).text()
    }

    /// - Throws: `damaged` where the text is not one that `text` made.
    init(contentType: String, text: String) throws(ObjectStoreError) {
        self.init(contentType: contentType)
        guard !text.isEmpty else { return }
        guard let document = try? JSONValue.parse(text), let object = document.objectValue else {
            throw ObjectStoreError(
                .damaged,
                "the index holds attributes that cannot be read; restore a backup of it"
            )
        }
        userMetadata = Self.strings(object["metadata"])
        headers = Self.strings(object["headers"])
        storageClass = object["storageClass"]?.stringValue ?? "STANDARD"
        for (name, value) in Self.strings(object["checksums"]) {
            guard let algorithm = ChecksumAlgorithm(rawValue: name) else { continue }
            checksums[algorithm] = value
        }
        checksumType =
            (object["checksumType"]?.stringValue).flatMap(ChecksumType.init(rawValue:)) ?? .fullObject
        accessControl = Self.accessControl(object["acl"])
    }

    /// A list that a later version wrote, and this one does not know, lets nobody in.
    private static func accessControl(_ value: JSONValue?) -> CannedAccessControl {
        value?.stringValue.flatMap(CannedAccessControl.init(rawValue:)) ?? .private
    }

    private static func strings(_ value: JSONValue?) -> [String: String] {
        guard let object = value?.objectValue else { return [:] }
        return Dictionary(
            object.members.compactMap { member in member.value.stringValue.map { (member.key, $0) } }
        ) { $1 }
    }
}
