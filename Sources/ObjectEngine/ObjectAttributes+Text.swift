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
        if storageClass != .standard { members.append(("storageClass", .string(storageClass.rawValue))) }
        if !tags.isEmpty {
            members.append(("tags", .strings(tags.tags.flatMap { [$0.key, $0.value] })))
        }
        if !checksums.isEmpty {
            let named = Dictionary(uniqueKeysWithValues: checksums.map { ($0.key.rawValue, $0.value) })
            members.append(("checksums", .map(named)))
        }
        if checksumType != .fullObject { members.append(("checksumType", .string(checksumType.rawValue))) }
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
        // What earlier versions of this program accepted beside S3's names was nothing but a label.
        storageClass = (object["storageClass"]?.stringValue).flatMap(StorageClass.init(rawValue:)) ?? .standard
        tags = Self.tags(object["tags"])
        for (name, value) in Self.strings(object["checksums"]) {
            guard let algorithm = ChecksumAlgorithm(rawValue: name) else { continue }
            checksums[algorithm] = value
        }
        checksumType =
            (object["checksumType"]?.stringValue).flatMap(ChecksumType.init(rawValue:)) ?? .fullObject
    }

    /// Keys and values in turn: other than in an object, keys that only look the same stay apart.
    private static func tags(_ value: JSONValue?) -> TagSet {
        let texts = value?.arrayValue?.compactMap(\.stringValue) ?? []
        return TagSet(
            kept: stride(from: 0, to: texts.count - 1, by: 2).map { .init(key: texts[$0], value: texts[$0 + 1]) }
        )
    }

    private static func strings(_ value: JSONValue?) -> [String: String] {
        guard let object = value?.objectValue else { return [:] }
        return Dictionary(
            object.members.compactMap { member in member.value.stringValue.map { (member.key, $0) } }
        ) { $1 }
    }
}
