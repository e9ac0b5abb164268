import Model
package import SystemPackage
import YAMLDocuments

/// The clusters that a user knows, from the file, the environment, or a server on this machine.
package struct Configuration: Sendable {
    /// Where the clusters came from.
    package enum Origin: Sendable, Hashable {
        /// The file of Apus, or the one that `--config` names.
        case file(FilePath)
        /// oscar-cli's file, because there is none of Apus yet.
        case oscarCLI(FilePath)
        /// No file.
        case nothing
    }

    package var origin: Origin
    /// Where changes are written.
    package let path: FilePath
    /// The document, with members that Apus does not know.
    private(set) var document: JSONObject
    /// From `APUS_ENDPOINT` and its companions.
    package var environmentCluster: ClusterEntry?
    /// From the credentials file of a server on this machine.
    package var localCluster: ClusterEntry?

    static let environmentID = "env"
    static let localID = "local"

    /// Finds and reads the configuration.
    ///
    /// - Parameter file: the value of `--config`; it must exist unless `isForWriting`.
    /// - Throws: `invalidInput` for a malformed file, `notFound` for a missing one that was named, `localFile`.
    package static func load(
        file: String? = nil,
        isForWriting: Bool = false,
        _ surroundings: Surroundings = .current
    ) async throws(CommandError) -> Configuration {
        let own = surroundings.configurationHome.appending("apus").appending("config.yaml")
        let path = file.map(surroundings.resolve) ?? own
        var configuration = Configuration(origin: .nothing, path: path, document: JSONObject())
        if let text = try await LocalFiles.text(path) {
            configuration.document = try parse(text, path)
            configuration.origin = .file(path)
        } else if file != nil {
            guard isForWriting else { throw CommandError(.notFound, "there is no configuration file \(path)") }
        } else {
            let foreign = surroundings.home.appending(".oscar-cli").appending("config.yaml")
            if let text = try await LocalFiles.text(foreign) {
                configuration.document = try parse(text, foreign)
                configuration.origin = .oscarCLI(foreign)
            }
        }
        configuration.environmentCluster = try fromEnvironment(surroundings)
        configuration.localCluster = try await LocalServer.cluster(surroundings)
        return configuration
    }

    private init(origin: Origin, path: FilePath, document: JSONObject) {
        (self.origin, self.path, self.document) = (origin, path, document)
    }

    private static func parse(_ text: String, _ path: FilePath) throws(CommandError) -> JSONObject {
        let value: JSONValue
        do {
            value = text.allSatisfy(\.isWhitespace) ? .object([:]) : try YAMLDocument.parse(text)
        } catch {
            throw CommandError(.invalidInput, "the configuration \(path) is malformed: \(error)")
        }
        guard let object = value.objectValue else {
            throw CommandError(
                .invalidInput, "the configuration \(path) must be a map with \"oscar\" and \"default\"")
        }
        switch object["oscar"] {
        case nil, .null, .object: break
        default: throw CommandError(.invalidInput, "\"oscar\" in \(path) must be a map of clusters by their ids")
        }
        switch object["default"] {
        case nil, .null, .string: break
        default: throw CommandError(.invalidInput, "\"default\" in \(path) must be the id of a cluster")
        }
        return object
    }

    private static func fromEnvironment(_ surroundings: Surroundings) throws(CommandError) -> ClusterEntry? {
        guard let endpoint = surroundings.variable("APUS_ENDPOINT") else { return nil }
        var entry = ClusterEntry(
            id: environmentID, endpoint: endpoint, user: surroundings.variable("APUS_USERNAME"),
            password: surroundings.variable("APUS_PASSWORD"), token: surroundings.variable("APUS_TOKEN"))
        switch surroundings.variable("APUS_TLS_VERIFY") {
        case nil, "true", "1": entry.verifyTLS = true
        case "false", "0": entry.verifyTLS = false
        case .some(let other):
            throw CommandError(.invalidInput, "APUS_TLS_VERIFY must be true or false, not \"\(other)\"")
        }
        return entry
    }
}

extension Configuration {
    private var stored: JSONObject { document["oscar"]?.objectValue ?? JSONObject() }

    /// The ids of all clusters: the file's in their order, then `env` and `local` where they exist and are not taken.
    package var ids: [String] {
        var ids = stored.keys
        for extra in [environmentCluster, localCluster] {
            if let extra, !ids.contains(extra.id) { ids.append(extra.id) }
        }
        return ids
    }

    /// The cluster that is meant when none is named: the environment's, else the file's default, else the file's only
    /// one, else the one on this machine.
    package var defaultID: String? {
        if let environmentCluster { return environmentCluster.id }
        if let id = document["default"]?.stringValue, !id.isEmpty { return id }
        if stored.count == 1 { return stored.keys.first }
        return stored.isEmpty ? localCluster?.id : nil
    }

    /// The cluster of that id, or the default one.
    ///
    /// - Throws: `notFound` with the ids that there are; `invalidInput` for a malformed entry.
    package func cluster(_ id: String? = nil) throws(CommandError) -> ClusterEntry {
        guard let wanted = id ?? defaultID else {
            guard ids.isEmpty else {
                throw CommandError(
                    .notFound,
                    "name a cluster with --cluster, or set a default with \"apus cluster default --set ID\"")
            }
            throw CommandError(
                .notFound,
                "no cluster is known; start one with \"apus serve\", or add one with "
                    + "\"apus cluster add ID ENDPOINT USER PASSWORD\"")
        }
        if id == nil, let environmentCluster, wanted == environmentCluster.id { return environmentCluster }
        if let json = stored[wanted] { return try ClusterEntry(id: wanted, json) }
        for extra in [environmentCluster, localCluster] {
            if let extra, extra.id == wanted { return extra }
        }
        let known = ids.isEmpty ? "none is known" : "known are \(ids.joined(separator: ", "))"
        throw CommandError(.notFound, "there is no cluster \"\(wanted)\" in the configuration (\(known))")
    }

    /// Adds a cluster or replaces it; the first one becomes the default.
    ///
    /// - Throws: `invalidInput` for an id that is no name.
    package mutating func add(_ entry: ClusterEntry) throws(CommandError) {
        guard !entry.id.isEmpty, entry.id != "default-cluster",
            entry.id.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "/") })
        else {
            throw CommandError(
                .invalidInput, "\"\(entry.id)\" is not a good cluster id; use letters, digits, \"-\", \"_\"")
        }
        var clusters = stored
        clusters[entry.id] = entry.json(over: clusters[entry.id]?.objectValue ?? JSONObject())
        document["oscar"] = .object(clusters)
        if document["default"]?.stringValue ?? "" == "" { document["default"] = .string(entry.id) }
    }

    /// Removes a cluster; where it was the default there is none until one is set.
    ///
    /// - Throws: `notFound`.
    package mutating func remove(_ id: String) throws(CommandError) {
        var clusters = stored
        guard clusters[id] != nil else {
            throw CommandError(.notFound, "there is no cluster \"\(id)\" in the configuration file")
        }
        clusters[id] = nil
        document["oscar"] = .object(clusters)
        if document["default"]?.stringValue == id { document["default"] = .string("") }
    }

    /// Sets the default cluster.
    ///
    /// - Throws: `notFound`.
    package mutating func setDefault(_ id: String) throws(CommandError) {
        guard stored[id] != nil || localCluster?.id == id else {
            throw CommandError(.notFound, "there is no cluster \"\(id)\" in the configuration file")
        }
        document["default"] = .string(id)
    }

    /// Writes the file: mode 0600 in a directory of mode 0700, replaced atomically.
    ///
    /// - Throws: `localFile`.
    package func save() async throws(CommandError) {
        let text = YAMLDocument.text(of: .object(document))
        try await LocalFiles.replacePrivately(path, with: Array(text.utf8))
    }
}
