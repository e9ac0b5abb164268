import SystemPackage

/// Keeps folders of logs below a size: the oldest go first.
///
/// Takes little memory however many logs there are: of all it sees, it remembers some of the oldest, and looks again
/// where these were not enough.
enum LogTrimmer {
    private static let window = 16_384

    private struct Log {
        var path: FilePath
        var size: Int64
        var modified: Int64
    }

    /// Blocks.
    ///
    /// - Parameters:
    ///   - limit: in bytes, of all folders together.
    ///   - window: how many logs are remembered at once.
    /// - Returns: how many were removed.
    static func trim(_ folders: [FilePath], to limit: Int64, window: Int = window) throws -> Int {
        var removed = 0
        while true {
            var (total, oldest): (Int64, [Log]) = (0, [])
            for folder in folders {
                try visit(folder) { log in
                    total += log.size
                    oldest.append(log)
                    if oldest.count >= window * 2 { keepOldest(window, of: &oldest) }
                }
            }
            guard total > limit else { return removed }
            keepOldest(window, of: &oldest)
            guard !oldest.isEmpty else { return removed }
            for log in oldest where total > limit {
                try Folder.removeFile(log.path)
                total -= log.size
                removed += 1
            }
            if total <= limit { return removed }
        }
    }

    /// The logs of later attempts are one folder deeper.
    private static func visit(_ folder: FilePath, _ body: (Log) -> Void) throws {
        func see(_ entry: Folder.Entry) {
            guard entry.isRegularFile else { return }
            body(Log(path: entry.path, size: entry.size, modified: entry.modified))
        }
        try Folder.visit(folder) { entry in
            see(entry)
            if entry.isFolder { try Folder.visit(entry.path) { see($0) } }
        }
    }

    private static func keepOldest(_ count: Int, of logs: inout [Log]) {
        logs.sort { ($0.modified, $0.path.string) < ($1.modified, $1.path.string) }
        logs.removeLast(max(0, logs.count - count))
    }
}
