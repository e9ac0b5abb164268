import Model
import NIOCore
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Where a verification puts what is damaged or unknown; nothing is ever removed from it by the program.
struct Quarantine: Sendable {
    let files: ContentFiles
    let now: @Sendable () -> Instant

    private var folder: String { "\(files.directory)/quarantine" }

    /// Moves a content file here and writes a line about it.
    ///
    /// - Returns: what was done, for the finding.
    func take(_ content: ContentID, _ finding: StoreFinding) async throws(ObjectStoreError) -> String {
        let (files, folder) = (files, folder)
        let line = line(finding)
        return try await files.run { () throws(ObjectStoreError) in
            do throws(Errno) {
                try files.calls.makeDirectory(folder)
                try Self.append(line, folder, files.calls)
                try files.calls.rename(files.contentPath(content), "\(folder)/\(content.text)")
                try files.calls.synchronizeDirectory(folder)
            } catch {
                throw ObjectStoreError(error, "cannot move \(content) to \(folder)")
            }
            return "moved to quarantine"
        }
    }

    /// Writes a copy of bytes here and a line about it.
    ///
    /// - Returns: what was done, for the finding.
    func keep(_ bytes: ByteBuffer, as name: String, _ finding: StoreFinding) async throws(ObjectStoreError) -> String {
        let (files, folder) = (files, folder)
        let line = line(finding)
        return try await files.run { () throws(ObjectStoreError) in
            do throws(Errno) {
                try files.calls.makeDirectory(folder)
                try Self.append(line, folder, files.calls)
                let file = try files.calls.open("\(folder)/\(name)", O_WRONLY | O_CREAT | O_TRUNC)
                try bytes.withTypedReadableBytes { (bytes) throws(Errno) in try file.write(bytes) }
                try file.synchronize()
                try files.calls.synchronizeDirectory(folder)
            } catch {
                throw ObjectStoreError(error, "cannot write to \(folder)")
            }
            return "copied to quarantine"
        }
    }

    private func line(_ finding: StoreFinding) -> [UInt8] {
        var members = finding.json.objectValue?.members.map { ($0.key, $0.value) } ?? []
        members.insert(("time", .string(now().rfc3339())), at: 0)
        return Array((JSONValue.object(JSONObject(members)).text() + "\n").utf8)
    }

    private static func append(_ line: [UInt8], _ folder: String, _ calls: FileSystemCalls) throws(Errno) {
        let report = try calls.open("\(folder)/report.jsonl", O_WRONLY | O_CREAT | O_APPEND)
        try ByteBuffer(bytes: line).withTypedReadableBytes { (bytes) throws(Errno) in try report.write(bytes) }
        try report.synchronize()
    }
}
