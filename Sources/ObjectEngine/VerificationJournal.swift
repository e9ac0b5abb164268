import Model
import NIOCore
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// How far a verification is, what it counted and what it found until then: two files beside the index.
///
/// `verify.findings` has a line for each finding. `verify.place` says where a later run goes on, what was counted before,
/// and how many bytes of the lines belong to that; what was written behind them is found again.
struct VerificationJournal: Sendable {
    struct Place: Sendable, Equatable {
        /// 0 for the index, then as `StoreVerifier` counts its phases.
        let step: Int
        /// The last that was verified within the phase; empty at its begin.
        let last: String

        static let start = Place(step: 0, last: "")
    }

    /// A longer place file is none of ours; in bytes.
    private static let placeLimit = 4096
    /// A longer line is none of ours; in bytes.
    private static let lineLimit = 64 << 10

    let files: ContentFiles

    private var placePath: String { "\(files.directory)/verify.place" }
    private var findingsPath: String { "\(files.directory)/verify.findings" }

    /// Keeps other verifications of this store away.
    ///
    /// - Returns: what keeps them away as long as it lives.
    /// - Throws: `inUse` where there is one already, `io`.
    func lock() async throws(ObjectStoreError) -> OpenFile {
        let lock = try await work { journal throws(Errno) -> OpenFile? in
            let file = try journal.files.calls.open(journal.findingsPath, O_RDWR | O_CREAT)
            return try file.lock(isShared: false, waits: false) ? file : nil
        }
        guard let lock else {
            throw ObjectStoreError(
                .inUse, "another verification of \(files.directory) is under way; wait for its end")
        }
        return lock
    }

    /// Forgets what a run before has left.
    func begin() async throws(ObjectStoreError) {
        try await work { journal throws(Errno) -> Void in
            try journal.files.calls.remove(journal.placePath)
            try journal.files.calls.open(journal.findingsPath, O_WRONLY | O_CREAT).truncate(to: 0)
        }
    }

    /// Where the run before was broken off, and what it counted but for findings.
    ///
    /// - `tell`: gets each finding of that run.
    ///
    /// - Returns: `nil` where there is nothing to go on with, or it cannot be read; `tell` was not called then.
    func resume(
        tell: @escaping @Sendable (StoreFinding) -> Void
    ) async throws(ObjectStoreError) -> (place: Place, counted: VerificationReport)? {
        try await work { journal throws(Errno) -> (place: Place, counted: VerificationReport)? in
            guard let entry = try journal.entry() else { return nil }
            let log = try journal.files.calls.open(journal.findingsPath, O_RDWR | O_CREAT)
            guard try Int64(log.status().st_size) >= entry.bytes else { return nil }
            var count = 0
            let isWhole = try Self.forEachFinding(in: log, upTo: entry.bytes) { _ in count += 1 }
            guard isWhole, count == entry.findings else { return nil }
            _ = try Self.forEachFinding(in: log, upTo: entry.bytes, tell)
            try log.truncate(to: entry.bytes)
            return (entry.place, entry.counted)
        }
    }

    /// Writes down what was found, and then how far the verification is.
    ///
    /// - `counted`: with all findings that were written down, these included.
    func commit(
        _ place: Place,
        _ counted: VerificationReport,
        adding findings: [StoreFinding]
    ) async throws(ObjectStoreError) {
        let lines = findings.reduce(into: ByteBuffer()) { $0.writeString($1.json.text() + "\n") }
        try await work { journal throws(Errno) -> Void in
            let calls = journal.files.calls
            let log = try calls.open(journal.findingsPath, O_WRONLY | O_CREAT | O_APPEND)
            try lines.withTypedReadableBytes { (bytes) throws(Errno) in try log.write(bytes) }
            let entry = Entry(
                place: place, counted: counted, findings: counted.findingCount, bytes: try Int64(log.status().st_size))
            let file = try calls.open("\(journal.placePath).new", O_WRONLY | O_CREAT | O_TRUNC)
            try ByteBuffer(string: entry.json.text() + "\n").withTypedReadableBytes { (bytes) throws(Errno) in
                try file.write(bytes)
            }
            try calls.rename("\(journal.placePath).new", journal.placePath)
        }
    }

    /// Forgets the run, which has come to its end.
    func end() async throws(ObjectStoreError) {
        try await work { journal throws(Errno) -> Void in
            try journal.files.calls.remove(journal.placePath)
            try journal.files.calls.remove(journal.findingsPath)
        }
    }

    private func work<T: Sendable>(
        _ body: @escaping @Sendable (VerificationJournal) throws(Errno) -> T
    ) async throws(ObjectStoreError) -> T {
        try await files.run { () throws(ObjectStoreError) in
            do throws(Errno) { return try body(self) } catch {
                throw ObjectStoreError(error, "cannot keep the verification's place in \(files.directory)")
            }
        }
    }

    private struct Entry {
        let place: Place
        let counted: VerificationReport
        /// How many findings were written down, and how many bytes their lines have.
        let findings: Int
        let bytes: Int64

        var json: JSONValue {
            .object([
                "step": .integer(place.step), "last": .string(place.last),
                "files": .integer(counted.files), "bytes": .integer(counted.bytes),
                "smallContents": .integer(counted.smallContents), "unverifiable": .integer(counted.unverifiable),
                "findings": .integer(findings), "findingBytes": .integer(bytes),
            ])
        }

        init(place: Place, counted: VerificationReport, findings: Int, bytes: Int64) {
            (self.place, self.counted, self.findings, self.bytes) = (place, counted, findings, bytes)
        }

        init?(json: JSONValue) {
            func number(_ name: String) -> Int64? { json[name]?.integerValue.flatMap { $0 >= 0 ? $0 : nil } }
            guard let step = number("step"), let last = json["last"]?.stringValue,
                StoreVerifier.Phase.isPlace(step: step, last: last), let files = number("files"),
                let bytes = number("bytes"), let small = number("smallContents"),
                let unverifiable = number("unverifiable"), let findings = number("findings"),
                let findingBytes = number("findingBytes")
            else { return nil }
            var counted = VerificationReport()
            counted.files = Int(files)
            counted.bytes = bytes
            counted.smallContents = Int(small)
            counted.unverifiable = Int(unverifiable)
            self.init(
                place: Place(step: Int(step), last: last), counted: counted, findings: Int(findings),
                bytes: findingBytes)
        }
    }

    private func entry() throws(Errno) -> Entry? {
        let file: OpenFile
        do throws(Errno) {
            file = try files.calls.open(placePath, O_RDONLY)
        } catch {
            guard error != .noSuchFileOrDirectory else { return nil }
            throw error
        }
        let bytes = try file.bytes(atMost: Self.placeLimit, at: 0)
        return (try? JSONValue.parse(bytes: bytes)).flatMap(Entry.init(json:))
    }

    /// Blocks.
    ///
    /// - Returns: whether all bytes were whole lines that are findings.
    private static func forEachFinding(
        in log: OpenFile,
        upTo end: Int64,
        _ body: (StoreFinding) -> Void
    ) throws(Errno) -> Bool {
        var offset: Int64 = 0
        var line: [UInt8] = []
        while offset < end {
            let chunk = try log.bytes(atMost: Int(min(end - offset, Int64(lineLimit))), at: offset)
            guard !chunk.isEmpty else { return false }
            offset += Int64(chunk.count)
            var rest = chunk[...]
            while let newline = rest.firstIndex(of: 0x0A) {
                line += rest[..<newline]
                guard let value = try? JSONValue.parse(bytes: line), let finding = StoreFinding(json: value) else {
                    return false
                }
                body(finding)
                line = []
                rest = rest[(newline + 1)...]
            }
            line += rest
            guard line.count <= lineLimit else { return false }
        }
        return line.isEmpty
    }
}

extension OpenFile {
    /// Up to so many bytes from that place.
    ///
    /// Blocks.
    fileprivate func bytes(atMost count: Int, at offset: Int64) throws(Errno) -> [UInt8] {
        let space = UnsafeMutableRawBufferPointer.allocate(byteCount: count, alignment: 1)
        defer { space.deallocate() }
        var filled = 0
        while filled < count {
            let more = try read(into: .init(rebasing: space[filled...]), at: offset + Int64(filled))
            guard more > 0 else { break }
            filled += more
        }
        return Array(space[..<filled])
    }
}
