import Model
import Synchronization
package import SystemPackage

/// Which images services may use: those whose reference contains one of a list of texts (oscar-api.md section 3, `PUT
/// /system/config`).
///
/// An empty list allows all. Kept in a small file of the data directory.
package final class AllowedImages: Sendable {
    private let file: FilePath
    private let texts: Mutex<[String]>

    /// - Throws: where the file is there and cannot be read.
    package init(file: FilePath) throws {
        self.file = file
        let text = try Folder.readSmallFile(file) ?? "[]"
        let stored = try JSONValue.parse(text).arrayValue ?? []
        texts = Mutex(stored.compactMap(\.stringValue))
    }

    package var list: [String] { texts.withLock { $0 } }

    package func allow(_ image: String) -> Bool {
        texts.withLock { texts in texts.isEmpty || texts.contains { image.contains($0) } }
    }

    /// Replaces the list; durable when this returns.
    package func set(_ list: [String]) async throws {
        let kept = list.filter { !$0.isEmpty }
        let file = file
        try await Folder.offload { try Folder.writeDurably(file, JSONValue.strings(kept).text(), mode: 0o600) }
        texts.withLock { $0 = kept }
    }
}
