import GRDBSQLite
import Glibc
import Synchronization
import TestKit

/// The disk below SQLite for the index of one store: lets a step fail, or the power go before it, and knows what would
/// be left.
final class IndexDisk: Sendable {
    enum Step: String, Sendable, CaseIterable, Hashable {
        case open, read, write, truncate, synchronize, remove
    }

    enum Fault: Sendable, Hashable, CaseIterable {
        case none
        /// What an operating system says of a broken disk.
        case error
        /// A write finds the disk full.
        case full
        /// A write writes the half of it, and then finds the disk full.
        case short
        /// From this step on nothing happens any more.
        case powerCut
    }

    /// A step by its kind and its number among those of that kind, from 1.
    struct Place: Sendable, Hashable {
        let kind: Step
        let number: Int
    }

    private enum Change {
        case write(at: Int, bytes: [UInt8])
        case truncate(to: Int)

        func apply(to bytes: inout [UInt8]) {
            switch self {
            case .write(let start, let new):
                if bytes.count < start + new.count {
                    bytes += [UInt8](repeating: 0, count: start + new.count - bytes.count)
                }
                bytes.replaceSubrange(start..<start + new.count, with: new)
            case .truncate(let size): if bytes.count > size { bytes.removeLast(bytes.count - size) }
            }
        }
    }

    private struct FileState {
        /// What is on the disk for certain.
        var durable: [UInt8] = []
        /// What was asked for since, in order: any part of it may be on the disk too.
        var pending: [Change] = []
    }

    private struct State {
        var files: [String: FileState] = [:]
        var steps: [Step] = []
        /// How many of them were of the kind that is to fail.
        var count = 0
        var isDead = false
        var isPaused = false
        var failed: Step?
    }

    private let directory: String
    private let fault: Fault
    private let place: Place?
    private let whenDead: @Sendable () -> Void
    private let state = Mutex(State())

    /// - `place`: the step that fails.
    /// - `whenDead`: called once the power has gone.
    init(
        below directory: TemporaryDirectory,
        _ fault: Fault = .none,
        at place: Place? = nil,
        whenDead: @escaping @Sendable () -> Void = {}
    ) {
        self.directory = directory.path
        self.fault = fault
        self.place = place
        self.whenDead = whenDead
        FaultySQLite.watch(directory.path, self)
    }

    /// To be called when the store is closed.
    func remove() { FaultySQLite.forget(directory) }

    /// The steps that there were.
    var steps: [Step] { state.withLock { $0.steps } }
    var isDead: Bool { state.withLock { $0.isDead } }
    /// The step that was made to fail.
    var failed: Step? { state.withLock { $0.failed } }

    func die() { state.withLock { $0.isDead = true } }

    /// Lets everything happen while `body` looks.
    func paused<T>(_ body: () async throws -> T) async throws -> T {
        state.withLock { $0.isPaused = true }
        defer { state.withLock { $0.isPaused = false } }
        return try await body()
    }

    // MARK: What SQLite does

    enum Answer { case goOn, fail, writeHalf, sayFull }

    /// Counts a step, and says what is to become of it.
    func answer(to step: Step) -> Answer {
        let (answer, dies) = state.withLock { state -> (Answer, Bool) in
            guard !state.isDead else { return (.fail, false) }
            guard !state.isPaused else { return (.goOn, false) }
            state.steps.append(step)
            guard let place, step == place.kind, state.failed == nil else { return (.goOn, false) }
            state.count += 1
            guard state.count == place.number else { return (.goOn, false) }
            state.failed = step
            switch fault {
            case .none: return (.goOn, false)
            case .full: return (.sayFull, false)
            case .short: return (.writeHalf, false)
            case .error: return (.fail, false)
            case .powerCut:
                state.isDead = true
                return (.fail, true)
            }
        }
        if dies { whenDead() }
        return answer
    }

    func opened(_ path: String) {
        state.withLock { state in
            guard state.files[path] == nil else { return }
            state.files[path] = FileState(durable: (try? contents(of: path)) ?? [])
        }
    }

    func wrote(_ bytes: UnsafeRawBufferPointer, to path: String, at start: Int) {
        append(.write(at: start, bytes: Array(bytes)), to: path)
    }

    func truncated(_ path: String, to size: Int) { append(.truncate(to: size), to: path) }

    private func append(_ change: Change, to path: String) {
        state.withLock { if !$0.isDead { $0.files[path]?.pending.append(change) } }
    }

    /// How much of what was asked for a sync that begins now will cover.
    func place(in path: String) -> Int { state.withLock { $0.files[path]?.pending.count ?? 0 } }

    func synchronized(_ path: String, through place: Int) {
        state.withLock { state in
            guard !state.isDead, var file = state.files.removeValue(forKey: path) else { return }
            for change in file.pending.prefix(place) { change.apply(to: &file.durable) }
            file.pending.removeFirst(min(place, file.pending.count))
            state.files[path] = file
        }
    }

    /// A sync that failed: the system forgets what it could not write, so that a later sync says nothing of it.
    func failedToSynchronize(_ path: String) {
        state.withLock { state in
            guard !state.isDead, var file = state.files.removeValue(forKey: path) else { return }
            // Each second one was written; which, nobody knows.
            for (number, change) in file.pending.enumerated() where number.isMultiple(of: 2) {
                change.apply(to: &file.durable)
            }
            file.pending = []
            state.files[path] = file
        }
    }

    func removed(_ path: String) { state.withLock { if !$0.isDead { $0.files[path] = nil } } }

    // MARK: What is left

    enum Loss: Sendable {
        /// Nothing that was not synced stays.
        case everything
        /// Of what was not synced any part stays, in any order, also parts of one write.
        case anything
    }

    /// Writes the index's files as they are found after the power went.
    func image(in target: TemporaryDirectory, losing loss: Loss, _ random: inout SeededGenerator) throws {
        for (path, file) in state.withLock({ $0.files }) {
            var bytes = file.durable
            for change in loss == .everything ? [] : file.pending where Bool.random(using: &random) {
                Self.torn(change, &random).apply(to: &bytes)
            }
            try write(bytes, to: target.path + path.dropFirst(directory.utf8.count))
        }
    }

    /// Now and then a write only comes to some of its sectors.
    private static func torn(_ change: Change, _ random: inout SeededGenerator) -> Change {
        guard case .write(let start, let bytes) = change, bytes.count > 512, Int.random(in: 0..<4, using: &random) == 0
        else { return change }
        let sectors = Int.random(in: 1...bytes.count / 512, using: &random)
        return .write(at: start, bytes: Array(bytes.prefix(sectors * 512)))
    }
}
