import Synchronization
import SystemPackage

/// Says where everything is, once both servers are up.
final class Banner: Sendable {
    private let text: String
    private let facesUp = Mutex(0)

    init(api: String, s3: String, data: FilePath, isNew: Bool, fingerprint: String? = nil) {
        let credentials = data.appending("credentials.json").string
        var lines = [
            "Apus is ready.",
            "  API           \(api)",
            "  Object store  \(s3)",
            "  Data          \(data)",
            "  Credentials   \(credentials)\(isNew ? " (made now)" : "")",
        ]
        if let fingerprint { lines.append("  Certificate   SHA-256 \(fingerprint)") }
        text = lines.joined(separator: "\n") + "\n"
    }

    func faceIsUp() {
        let isComplete = facesUp.withLock { count in
            count += 1
            return count == 2
        }
        // A closed standard output is no reason not to serve.
        if isComplete { _ = try? FileDescriptor.standardOutput.writeAll(text.utf8) }
    }
}
