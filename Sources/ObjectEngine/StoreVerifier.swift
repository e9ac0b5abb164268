import DurableSQLite
import GRDB
package import Model
import NIOCore
import Synchronization
import SystemPackage

/// The verification of a whole store: every content against its check, the index against itself and the files.
///
/// Works beside a server, which goes on; repairs only a store that nobody else uses, and deletes nothing: files that
/// are damaged or unknown go to `quarantine/`, with a line in `quarantine/report.jsonl`. Memory does not grow with
/// the store.
package final class StoreVerifier: Sendable {
    /// How far a verification is.
    package struct Progress: Sendable {
        package let files: Int
        package let bytes: Int64
        /// What the index says that objects have; the end is near when `bytes` is.
        package let totalBytes: Int64
        /// What is being looked at, for people.
        package let phase: String
    }

    private static let pageSize = 200
    /// So many files are verified before the place is written down.
    private static let placeInterval = 256

    let access: StoreAccess
    let quarantine: Quarantine
    private let place: VerificationPlace
    private let whenFound: @Sendable (StoreFinding) -> Void
    private let whenAdvanced: @Sendable (Progress) -> Void
    private let state: Mutex<State>

    private struct State {
        var report = VerificationReport()
        var totalBytes: Int64 = 0
        var sincePlace = 0
    }

    /// - `now`: for the lines of the quarantine's report.
    /// - `whenFound`: told of each finding, after its repair.
    /// - `whenAdvanced`: told often; cheap, please.
    package init(
        _ access: StoreAccess,
        now: @escaping @Sendable () -> Instant,
        whenFound: @escaping @Sendable (StoreFinding) -> Void,
        whenAdvanced: @escaping @Sendable (Progress) -> Void = { _ in }
    ) {
        self.access = access
        self.whenFound = whenFound
        self.whenAdvanced = whenAdvanced
        quarantine = Quarantine(files: access.files, now: now)
        place = VerificationPlace(files: access.files)
        state = Mutex(State())
    }

    /// Verifies all, or what a run that was broken off has left.
    ///
    /// - Throws: `io`, `damaged` (an index that cannot be read on), `closed` where the task was cancelled: a later
    ///   run can resume.
    package func run(resuming: Bool = false) async throws(ObjectStoreError) -> VerificationReport {
        var from = VerificationPlace.Place.start
        if resuming { from = try await place.read() ?? .start }
        let total = try await access.read { try $0.statistics().bytes }
        state.withLock { $0.totalBytes = total }
        if from.step == 0 { try await verifyIndex() }
        for owners in ContentOwners.allCases where owners.rawValue + 1 >= from.step {
            try await verify(owners, after: owners.rawValue + 1 == from.step ? from.last : "")
        }
        try await verifySmallContents()
        try await verifyRows()
        try await verifyFolders()
        try await verifyCounts()
        try await place.remove()
        return state.withLock { $0.report }
    }

    /// Counts a finding and passes it on.
    func found(_ finding: StoreFinding) {
        state.withLock { state in
            state.report.findings[finding.kind, default: 0] += 1
            if finding.repair != nil { state.report.repaired += 1 }
            if finding.isLoss || finding.repair == nil { state.report.open += 1 }
        }
        whenFound(finding)
    }

    func count(_ change: @Sendable (inout VerificationReport) -> Void) { state.withLock { change(&$0.report) } }

    func advanced(_ phase: String) {
        let (report, total) = state.withLock { ($0.report, $0.totalBytes) }
        whenAdvanced(Progress(files: report.files, bytes: report.bytes, totalBytes: total, phase: phase))
    }

    private func verifyIndex() async throws(ObjectStoreError) {
        advanced("index")
        let lines = try await access.read { index in
            try String.fetchAll(index.database, sql: "PRAGMA quick_check(20)")
        }
        for line in lines where line != "ok" { found(StoreFinding(kind: .damagedIndex, detail: line)) }
    }

    private func verify(_ owners: ContentOwners, after start: String) async throws(ObjectStoreError) {
        var last = start
        while true {
            let from = last
            let page = try await access.read { try owners.files(after: from, limit: Self.pageSize, in: $0) }
            guard let end = page.last else { return }
            for owned in page {
                try await verify(owned)
                try await keepPlace(owners.rawValue + 1, owned.file.text)
            }
            last = end.file.text
        }
    }

    private func keepPlace(_ step: Int, _ last: String) async throws(ObjectStoreError) {
        let isDue = state.withLock { state in
            state.sincePlace += 1
            guard state.sincePlace >= Self.placeInterval else { return false }
            state.sincePlace = 0
            return true
        }
        if isDue { try await place.write(.init(step: step, last: last)) }
    }

    private func verify(_ owned: OwnedFile) async throws(ObjectStoreError) {
        let verdict = try await ContentInspection(owned: owned, files: access.files).run()
        count { report in
            report.files += 1
            report.bytes += owned.size
        }
        advanced("content")
        var finding = StoreFinding(
            kind: .missingContent,
            bucket: owned.bucket,
            key: owned.key,
            content: owned.file.text,
            detail: "the file is missing"
        )
        switch verdict {
        case .sound(let check, let isProven):
            return try await note(check, isProven: isProven, of: owned)
        case .missing:
            // Deleted since it was looked up, by a server that goes on.
            guard try await access.read({ try $0.isKnown(owned.file) }) else { return }
            return found(finding)
        case .wrongSize(let size):
            finding = finding.with(.wrongSize, "the file has \(size) bytes in place of \(owned.size)")
        case .wrongBytes:
            finding = finding.with(.wrongBytes, "the bytes are not those that were written")
        case .unreadable(let error):
            return found(finding.with(.unreadable, "the file cannot be read: \(error)"))
        }
        if access.isExclusive { finding.repair = try await quarantine.take(owned.file, finding) }
        found(finding)
    }

    /// Gives files of older versions, whose bytes were just proven by their ETag, the check that they lack.
    private func note(_ check: UInt64, isProven: Bool, of owned: OwnedFile) async throws(ObjectStoreError) {
        guard owned.check == nil else { return }
        guard isProven else { return count { $0.unverifiable += 1 } }
        guard access.isExclusive else { return }
        try await access.write { try $0.insertCheck(check, of: owned.file) }
    }
}

extension StoreFinding {
    fileprivate func with(_ kind: Kind, _ detail: String) -> StoreFinding {
        StoreFinding(kind: kind, bucket: bucket, key: key, content: content, detail: detail)
    }
}
