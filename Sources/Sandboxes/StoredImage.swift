package import Model
package import SystemPackage

/// An image that is unpacked and ready.
package struct StoredImage: Sendable, Hashable {
    /// The names under which it was added, as given.
    package var names: [String]
    /// `sha256:…`: of the manifest, or of the file for a root file system archive.
    package var digest: String
    /// What its files take on disk.
    package var size: ByteCount
    /// When it was unpacked here.
    package var created: Instant
    /// What the image says about its processes.
    package var defaults: ImageDefaults
}

/// What an image's configuration says about its processes (image-spec, config.md).
package struct ImageDefaults: Sendable, Hashable {
    /// Each `NAME=value`.
    package var environment: [String] = []
    package var workingDirectory = "/"
    package var userID: Int64 = 0
    package var groupID: Int64 = 0
    package var moreGroupIDs: [Int64] = []
    /// The command that its containers run by themselves, entry point first; empty where it names none, `nil` where it
    /// was unpacked by an Apus that did not ask.
    package var command: [String]?

    package init() {}
}

/// Where an image comes from.
package enum ImageSource: Sendable, Hashable {
    /// A registry, by the image's own name.
    case registry
    /// A file or directory: OCI layout or archive, Docker archive, or an archive of a root file system. The kind is found
    /// by looking.
    case file(FilePath)
}

extension StoredImage {
    var json: JSONValue {
        var members: [(String, JSONValue)] = [
            ("names", .strings(names)), ("digest", .string(digest)), ("size", .integer(size.bytes)),
            ("created", .string(created.rfc3339(fractionDigits: 3))), ("env", .strings(defaults.environment)),
            ("cwd", .string(defaults.workingDirectory)), ("uid", .integer(defaults.userID)),
            ("gid", .integer(defaults.groupID)),
            ("groups", .array(defaults.moreGroupIDs.map { .integer($0) })),
        ]
        if let command = defaults.command { members.append(("command", .strings(command))) }
        return .object(JSONObject(members))
    }

    init?(json: JSONValue) {
        guard let names = json["names"]?.arrayValue, let digest = json["digest"]?.stringValue,
            let size = json["size"]?.integerValue, let text = json["created"]?.stringValue,
            let created = Instant(rfc3339: text)
        else { return nil }
        self.names = names.compactMap(\.stringValue)
        self.digest = digest
        self.size = ByteCount(size)
        self.created = created
        defaults = ImageDefaults()
        defaults.environment = json["env"]?.arrayValue?.compactMap(\.stringValue) ?? []
        defaults.workingDirectory = json["cwd"]?.stringValue ?? "/"
        defaults.userID = json["uid"]?.integerValue ?? 0
        defaults.groupID = json["gid"]?.integerValue ?? 0
        defaults.moreGroupIDs = json["groups"]?.arrayValue?.compactMap(\.integerValue) ?? []
        defaults.command = json["command"]?.arrayValue?.compactMap(\.stringValue)
    }
}
