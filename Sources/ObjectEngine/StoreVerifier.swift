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
    private let journal: VerificationJournal
    private let expectsUnknownFiles: Bool
    private let whenFound: @Sendable (StoreFinding) -> Void
    private let whenAdvanced: @Sendable (Progress) -> Void
    private let state: Mutex<State>

    private struct State {
        /// What was written down.
        var report = VerificationReport()
        var place = VerificationJournal.Place.start
        /// Findings behind that place: a run that resumes finds them again.
        var pending: [StoreFinding] = []
        var totalBytes: Int64 = 0
        var sincePlace = 0
    }

    /// - `expectsUnknownFiles`: whether files that no row knows are in order, as in a backup whose update was
    ///   broken off.
    /// - `now`: for the lines of the quarantine's report.
    /// - `whenFound`: told of each finding, after its repair.
    /// - `whenAdvanced`: told often; cheap, please.
    package init(
        _ access: StoreAccess,
        expectsUnknownFiles: Bool = false,
        now: @escaping @Sendable () -> Instant,
        whenFound: @escaping @Sendable (StoreFinding) -> Void,
        whenAdvanced: @escaping @Sendable (Progress) -> Void = { _ in }
    ) {
        self.access = access
        self.expectsUnknownFiles = expectsUnknownFiles
        self.whenFound = whenFound
        self.whenAdvanced = whenAdvanced
        quarantine = Quarantine(files: access.files, now: now)
        journal = VerificationJournal(files: access.files)
        state = Mutex(State())
    }

    /// What is verified one after the other; a place in the journal names them by their numbers.
    enum Phase: Int, CaseIterable {
        case index, objects, versions, pieces, parts, smallContents, rows, folders, counts

        /// Whether a place can be one; `allCases.count` is that of the end.
        static func isPlace(step: Int64, last: String) -> Bool {
            guard let phase = Int(exactly: step).flatMap(Phase.init(rawValue:)) else {
                return step == allCases.count && last.isEmpty
            }
            switch phase {
            case .index, .rows, .counts: return last.isEmpty
            case .objects, .versions, .pieces, .parts: return last.isEmpty || ContentID(last) != nil
            case .smallContents, .folders: return last.isEmpty || Int64(last).map { $0 >= 0 } ?? false
            }
        }

        fileprivate var owners: ContentOwners? {
            switch self {
            case .objects: .objects
            case .versions: .versions
            case .pieces: .pieces
            case .parts: .parts
            case .index, .smallContents, .rows, .folders, .counts: nil
            }
        }
    }

    /// Verifies all, or what a run that was broken off has left.
    ///
    /// The report is of the whole: what the run before counted and found is in it, and its findings are told again.
    ///
    /// - Throws: `io`, `damaged` (an index that cannot be read on), `inUse` (another verification is under way),
    ///   `closed` where the task was cancelled: a later run can resume.
    package func run(resuming: Bool = false) async throws(ObjectStoreError) -> VerificationReport {
        let lock = try await journal.lock()
        defer { withExtendedLifetime(lock) {} }
        let from = try await begin(resuming: resuming)
        let total = try await access.read { try $0.statistics().bytes }
        state.withLock { $0.totalBytes = total }
        for phase in Phase.allCases where phase.rawValue >= from.step {
            try await verify(phase, after: phase.rawValue == from.step ? from.last : "")
            try await reached(.init(step: phase.rawValue + 1, last: ""))
        }
        try await journal.end()
        return state.withLock { $0.report }
    }

    private func begin(resuming: Bool) async throws(ObjectStoreError) -> VerificationJournal.Place {
        let before = resuming ? try await journal.resume { [self] in tellAgain($0) } : nil
        if let before {
            return state.withLock { state in
                state.place = before.place
                state.report.files = before.counted.files
                state.report.bytes = before.counted.bytes
                state.report.smallContents = before.counted.smallContents
                state.report.unverifiable = before.counted.unverifiable
                return before.place
            }
        }
        try await journal.begin()
        return .start
    }

    private func tellAgain(_ finding: StoreFinding) {
        state.withLock { $0.report.add(finding) }
        whenFound(finding)
    }

    private func verify(_ phase: Phase, after last: String) async throws(ObjectStoreError) {
        if let owners = phase.owners { return try await verify(owners, in: phase, after: last) }
        switch phase {
        case .index: try await verifyIndex()
        case .smallContents: try await verifySmallContents(after: Int64(last) ?? 0)
        case .rows: try await verifyRows()
        case .folders: if !expectsUnknownFiles { try await verifyFolders(after: Int(last) ?? -1) }
        case .counts: try await verifyCounts()
        case .objects, .versions, .pieces, .parts: break
        }
    }

    /// Counts a finding and passes it on.
    ///
    /// It is written down with the next place; at once where nobody would find it again, because it was repaired.
    func found(_ finding: StoreFinding) async throws(ObjectStoreError) {
        whenFound(finding)
        guard finding.repair != nil, !finding.isLoss else { return state.withLock { $0.pending.append(finding) } }
        let (place, report) = state.withLock { state in
            state.report.add(finding)
            return (state.place, state.report)
        }
        try await journal.commit(place, report, adding: [finding])
    }

    /// Writes down how far the verification is, and what was found up to there.
    func reached(_ place: VerificationJournal.Place) async throws(ObjectStoreError) {
        let (report, findings) = state.withLock { state in
            let findings = state.pending
            for finding in findings { state.report.add(finding) }
            (state.pending, state.place, state.sincePlace) = ([], place, 0)
            return (state.report, findings)
        }
        try await journal.commit(place, report, adding: findings)
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
        for line in lines where line != "ok" { try await found(StoreFinding(kind: .damagedIndex, detail: line)) }
    }

    private func verify(
        _ owners: ContentOwners,
        in phase: Phase,
        after start: String
    ) async throws(ObjectStoreError) {
        var last = start
        while true {
            let from = last
            let page = try await access.read { try owners.files(after: from, limit: Self.pageSize, in: $0) }
            guard let end = page.last else { return }
            for owned in page {
                guard !Task.isCancelled else { throw ObjectStoreError(.closed, "the task was cancelled") }
                try await verify(owned)
                try await keepPlace(.init(step: phase.rawValue, last: owned.file.text))
            }
            last = end.file.text
        }
    }

    /// Writes the place down now and then, and behind each finding.
    private func keepPlace(_ place: VerificationJournal.Place) async throws(ObjectStoreError) {
        let isDue = state.withLock { state in
            state.sincePlace += 1
            return state.sincePlace >= Self.placeInterval || !state.pending.isEmpty
        }
        if isDue { try await reached(place) }
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
            return try await found(finding)
        case .wrongSize(let size):
            finding = finding.with(.wrongSize, "the file has \(size) bytes in place of \(owned.size)")
        case .wrongBytes:
            finding = finding.with(.wrongBytes, "the bytes are not those that were written")
        case .unreadable(let error):
            return try await found(finding.with(.unreadable, "the file cannot be read: \(error)"))
        }
        if access.isExclusive { finding.repair = try await quarantine.take(owned.file, finding) }
        try await found(finding)
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
