import DequeModule
package import Model

/// Decides what the line to one destination does next: a storage that results go to, or a webhook.
///
/// A pure state machine. What waits is on disk; only a window of it is held here, so that memory does not grow with the
/// backlog. Entries with the same key never overtake one another; others go side by side, up to a limit. A destination
/// that fails rests, longer each time, and is then tried with one entry only. An entry that the destination refuses
/// rests by itself, and holds up no more than those behind it with the same key.
package struct OutboxLine: Sendable {
    /// Something that waits to be sent.
    package struct Entry: Sendable, Hashable {
        /// Its place: unique, and growing with the time at which it came.
        package var id: Int64
        /// Where it goes within the destination.
        package var key: String
        /// How often it was tried in vain.
        package var attempts: Int
        /// Whether an entry with the same key waits before it.
        package var isBehind: Bool

        package init(id: Int64, key: String, attempts: Int = 0, isBehind: Bool = false) {
            (self.id, self.key, self.attempts, self.isBehind) = (id, key, attempts, isBehind)
        }
    }

    /// What the shell has to do.
    package enum Action: Sendable, Hashable {
        /// Read the entries after that one that are due, the oldest first, at most so many, and call `loaded`.
        case load(after: Int64, limit: Int)
        /// Send that entry, and call `arrived` or `failed`.
        case send(Int64)
        /// Ask again then, or when something has happened; `nil` for not before something happens.
        case wait(until: Instant?)
        /// Nothing waits, nothing is under way.
        case end
    }

    /// Why an entry did not arrive.
    package enum Setback: Sendable, Hashable {
        /// The destination is not there, or asks to wait: no other entry would have arrived either.
        case destination(retryAfter: Duration?)
        /// The destination does not want this one; others it may.
        case entry(retryAfter: Duration?)
        /// It was broken off on this side, and goes on when the link is open again.
        case interrupted
    }

    /// How many entries are held in memory.
    package static let window = 128
    /// How many entries of one key are held in memory.
    package static let windowOfKey = 16
    /// How many keys are remembered of which entries were passed over.
    private static let rememberedKeys = 1000
    /// The longest rest that a destination can ask for.
    package static let longestWish = Duration.seconds(3600)

    private struct Active: Sendable {
        var entry: Entry
        /// How many rests there had been when it began.
        var rests: Int
    }

    /// How many entries go side by side.
    package let parallel: Int
    private let backoff: Backoff
    private var waiting: Deque<Entry> = []
    private var active: [Int64: Active] = [:]
    private var activeKeys: Set<String> = []
    private var lastLoaded: Int64 = 0
    private var mayHaveMore = true
    private var isLoading = false
    private var cameWhileLoading = false
    /// They may be in the answer, which was read before.
    private var endedWhileLoading: Set<Int64> = []
    /// Keys of which entries were passed over, because one before them rests or many wait already.
    private var skipped: Set<String> = []
    /// There are more such keys than are remembered.
    private var hasSkippedMore = false
    /// When the first entry that rests by itself is due.
    private var nextDue: Instant?
    private var rests = 0
    /// When it was last asked.
    private var lastAsked: Instant?

    /// How often the destination has failed since something last arrived.
    package private(set) var failures = 0
    /// Until when the destination is left alone.
    package private(set) var restsUntil: Instant?

    package init(parallel: Int, backoff: Backoff) {
        self.parallel = max(1, parallel)
        self.backoff = backoff
    }

    /// How many entries are on their way.
    package var activeCount: Int { active.count }

    // MARK: What happened

    /// Something new waits.
    package mutating func news() {
        mayHaveMore = true
        cameWhileLoading = isLoading
    }

    /// The answer to `load`.
    ///
    /// - Parameters:
    ///   - limit: as asked; fewer entries mean that there are no more.
    ///   - nextDue: when the first of those is due that are not yet.
    package mutating func loaded(_ entries: [Entry], limit: Int, nextDue: Instant?) {
        guard isLoading else { return }
        isLoading = false
        var isCut = false
        let known = Set(waiting.map(\.id)).union(active.keys).union(endedWhileLoading)
        var held = Dictionary(grouping: waiting, by: \.key).mapValues(\.count)
        for entry in entries where !known.contains(entry.id) {
            let count = held[entry.key] ?? 0
            let followsOneHere = count > 0 || activeKeys.contains(entry.key)
            // The one before it may have arrived since: this is read again.
            if entry.isBehind, !followsOneHere, !endedWhileLoading.isEmpty {
                isCut = true
                break
            }
            if skipped.contains(entry.key) || (entry.isBehind && !followsOneHere) || count >= Self.windowOfKey {
                skip(entry.key)
            } else {
                held[entry.key] = count + 1
                insert(entry)
            }
            lastLoaded = entry.id
        }
        if !isCut, let last = entries.last { lastLoaded = last.id }
        mayHaveMore = isCut || entries.count >= limit || cameWhileLoading
        if let nextDue { self.nextDue = min(self.nextDue ?? nextDue, nextDue) }
        (cameWhileLoading, endedWhileLoading) = (false, [])
    }

    /// What waits could not be read; it is asked for again.
    package mutating func loadFailed() {
        isLoading = false
        (cameWhileLoading, endedWhileLoading) = (false, [])
    }

    /// An entry has arrived, and that is recorded.
    package mutating func arrived(_ id: Int64) {
        let begun = active[id]?.rests
        guard let entry = end(id) else { return }
        noteAnswer(toBegun: begun)
        let hasMoreOfKey = waiting.contains { $0.key == entry.key }
        if !hasMoreOfKey, skipped.contains(entry.key) || (hasSkippedMore && entry.attempts > 0) { rewind() }
    }

    /// How long is to be waited after a failure of an entry that is under way.
    ///
    /// An entry that rests by itself is to be recorded as such before `failed`, lest it be read as due.
    package func pause(
        after setback: Setback,
        of id: Int64,
        using random: inout some RandomNumberGenerator
    ) -> Duration {
        let (count, wish): (Int, Duration?) =
            switch setback {
            case .interrupted: (0, nil)
            case .destination(let wish): (failures + 1, wish)
            case .entry(let wish): ((active[id]?.entry.attempts ?? 0) + 1, wish)
            }
        guard count > 0 else { return .zero }
        let own = backoff.delay(afterAttempt: count, using: &random)
        return wish.map { max(own, min($0, Self.longestWish)) } ?? own
    }

    /// An entry did not arrive.
    ///
    /// - Parameter pause: as `pause(after:of:using:)` says.
    /// - Returns: when it is tried again at the earliest.
    @discardableResult
    package mutating func failed(_ id: Int64, _ setback: Setback, at now: Instant, pause: Duration) -> Instant {
        guard let begun = active[id], var entry = end(id) else { return now }
        switch setback {
        case .interrupted:
            insert(entry)
            return now
        case .destination(let wish):
            entry.attempts += 1
            insert(entry)
            // Those that were on their way together fail together, which is one failure.
            if begun.rests == rests {
                failures += 1
                rests += 1
                restsUntil = now + pause
            } else if let wish, let until = restsUntil {
                restsUntil = max(until, now + min(wish, Self.longestWish))
            }
            return restsUntil ?? now
        case .entry:
            noteAnswer(toBegun: begun.rests)
            let due = now + pause
            let before = waiting.count
            waiting.removeAll { $0.key == entry.key }
            if waiting.count < before { skip(entry.key) }
            nextDue = min(nextDue ?? due, due)
            return due
        }
    }

    /// Everything may be tried now: somebody says so, or has changed what was wrong.
    package mutating func retry() {
        (failures, restsUntil) = (0, nil)
        rests += 1
        rewind()
    }

    /// Entries that are not under way were taken away.
    package mutating func withdrawn() {
        waiting.removeAll()
        rewind()
    }

    // MARK: Decisions

    /// What to do now; asked again and again until it is to wait or to end.
    ///
    /// - Parameter opening: when the link opens; `nil` where it is open.
    package mutating func next(at now: Instant, opening: Instant? = nil) -> Action {
        if let last = lastAsked, now < last { clockWasSetBack(by: last - now) }
        lastAsked = now
        if let due = nextDue, due <= now { rewind() }
        if !mayHaveMore, !isLoading, waiting.isEmpty, active.isEmpty, nextDue == nil { return .end }
        if let opening { return .wait(until: opening) }
        if let rest = restsUntil, now < rest { return .wait(until: rest) }
        let room = failures > 0 ? 1 : parallel
        if active.count < room, let index = nextIndex() {
            let entry = waiting.remove(at: index)
            active[entry.id] = Active(entry: entry, rests: rests)
            activeKeys.insert(entry.key)
            return .send(entry.id)
        }
        // Also where all that is here waits for one key: behind it may be others.
        if active.count < room, mayHaveMore, !isLoading, waiting.count < Self.window {
            isLoading = true
            return .load(after: lastLoaded, limit: Self.window - waiting.count)
        }
        return .wait(until: active.count < room ? nextDue : nil)
    }

    /// What was agreed on by the old time moves with it.
    private mutating func clockWasSetBack(by step: Duration) {
        restsUntil = restsUntil.map { $0 + (.zero - step) }
        if nextDue != nil { rewind() }
    }

    /// The destination answers, so it is there; what began before its last failure says nothing of how it is now.
    private mutating func noteAnswer(toBegun begun: Int?) {
        if begun == rests { (failures, restsUntil) = (0, nil) }
    }

    /// The place of the entry that goes next: the oldest, but while the destination fails the least tried, so that one that it
    /// can never take does not keep the others from being the probe.
    private func nextIndex() -> Int? {
        guard failures > 0 else { return waiting.firstIndex { !activeKeys.contains($0.key) } }
        var keys = activeKeys
        var best: Int?
        for (index, entry) in waiting.enumerated() where keys.insert(entry.key).inserted {
            if best.map({ entry.attempts < waiting[$0].attempts }) ?? true { best = index }
        }
        return best
    }

    private mutating func end(_ id: Int64) -> Entry? {
        guard let ended = active.removeValue(forKey: id)?.entry else { return nil }
        activeKeys.remove(ended.key)
        if isLoading { endedWhileLoading.insert(id) }
        return ended
    }

    /// Keeps what waits in its order.
    private mutating func insert(_ entry: Entry) {
        let index = waiting.lastIndex { $0.id < entry.id }.map { $0 + 1 } ?? 0
        waiting.insert(entry, at: index)
    }

    private mutating func skip(_ key: String) {
        if skipped.count < Self.rememberedKeys { skipped.insert(key) } else { hasSkippedMore = true }
    }

    /// What waits is read from the start again.
    private mutating func rewind() {
        // A load that is under way asks for what comes after; its answer must not count as the start.
        (lastLoaded, mayHaveMore, nextDue) = (0, true, nil)
        (skipped, hasSkippedMore) = ([], false)
        if isLoading { (isLoading, cameWhileLoading, endedWhileLoading) = (false, false, []) }
    }
}
