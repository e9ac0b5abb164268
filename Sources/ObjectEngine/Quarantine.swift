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

/// How far a verification came, in a file beside the index.
struct VerificationPlace: Sendable {
    struct Place: Sendable, Equatable {
        /// 0 for the index, then the owners of files in their order.
        let step: Int
        /// The last file that was verified.
        let last: String

        static let start = Place(step: 0, last: "")
    }

    let files: ContentFiles

    private var path: String { "\(files.directory)/verify.place" }

    /// - Returns: `nil` where no verification was broken off.
    func read() async throws(ObjectStoreError) -> Place? {
        let (files, path) = (files, path)
        return try await files.run { () throws(ObjectStoreError) in
            do throws(Errno) {
                let file = try files.calls.open(path, O_RDONLY)
                var bytes = [UInt8](repeating: 0, count: 100)
                var count = 0
                try bytes.withTypedMutableBytes { (space) throws(Errno) in count = try file.read(into: space) }
                let words = String(decoding: bytes[..<count], as: UTF8.self).split(whereSeparator: \.isWhitespace)
                guard words.count == 2, let step = Int(words[0]), ContentID(String(words[1])) != nil else { return nil }
                return Place(step: step, last: String(words[1]))
            } catch {
                guard error != .noSuchFileOrDirectory else { return nil }
                throw ObjectStoreError(error, "cannot read \(path)")
            }
        }
    }

    func write(_ place: Place) async throws(ObjectStoreError) {
        let (files, path) = (files, path)
        try await files.run { () throws(ObjectStoreError) in
            do throws(Errno) {
                let file = try files.calls.open("\(path).new", O_WRONLY | O_CREAT | O_TRUNC)
                let text = ByteBuffer(string: "\(place.step) \(place.last)\n")
                try text.withTypedReadableBytes { (bytes) throws(Errno) in try file.write(bytes) }
                try files.calls.rename("\(path).new", path)
            } catch {
                throw ObjectStoreError(error, "cannot write \(path)")
            }
        }
    }

    func remove() async throws(ObjectStoreError) {
        let (files, path) = (files, path)
        try await files.run { () throws(ObjectStoreError) in
            do throws(Errno) {
                try files.calls.remove(path)
            } catch {
                throw ObjectStoreError(error, "cannot remove \(path)")
            }
        }
    }
}

extension [UInt8] {
    /// `withUnsafeMutableBytes` with a typed error.
    fileprivate mutating func withTypedMutableBytes(
        _ body: (UnsafeMutableRawBufferPointer) throws(Errno) -> Void
    ) throws(Errno) {
        let result = withUnsafeMutableBytes { bytes in
            do throws(Errno) { return Result<Void, Errno>.success(try body(bytes)) } catch {
                return .failure(error)
            }
        }
        try result.get()
    }
}
