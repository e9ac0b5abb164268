import Model
import SystemPackage

/// A server of Apus on this machine, found by the credentials file in its data directory.
enum LocalServer {
    /// The server of this user's default data directory; `nil` where there is no file that this user may read.
    ///
    /// - Throws: `invalidInput` for a file that is not what a server writes.
    static func cluster(_ surroundings: Surroundings) async throws(CommandError) -> ClusterEntry? {
        let path = surroundings.dataDirectory.appending("credentials.json")
        let text: String
        do {
            guard let found = try await LocalFiles.text(path) else { return nil }
            text = found
        } catch {
            // A server of another user on this machine: its file is not ours to read.
            return nil
        }
        guard let json = try? JSONValue.parse(text), let endpoint = json["endpoint"]?.stringValue else {
            throw CommandError(
                .invalidInput, "\(path) is not a credentials file of Apus; restart \"apus serve\" to mend it")
        }
        var entry = ClusterEntry(
            id: Configuration.localID, endpoint: endpoint, user: json["username"]?.stringValue,
            password: json["password"]?.stringValue)
        if let certificate = json["certificate"]?.stringValue {
            // A certificate that somebody gave the server is seldom for 127.0.0.1, where it is reached from here.
            let isOwn = FilePath(certificate).removingLastComponent() == path.removingLastComponent()
            entry.trust = CertificateTrust(file: certificate, checksHost: isOwn)
        }
        return entry
    }
}
