import Model
import NIOCore
import Synchronization

/// Small objects that were read lately, with their content, in memory: answered without changing threads.
///
/// Never shows an acknowledged change too late: the index's own triggers tell of every row of `objects` that a
/// transaction touches, whoever wrote the statement, and what was touched is dropped between the commit and its
/// acknowledgement. What a reader found before a commit is not kept after it.
///
/// Two generations: what is found in the old one moves to the young one; when the young one is full, the old one
/// goes. That keeps what is used again, for the price of a look-up.
final class HotObjects: Sendable {
    /// An object and its content.
    struct Entry: Sendable {
        let record: ObjectRecord
        let content: ByteBuffer

        /// What it costs in memory, about.
        var size: Int { content.readableBytes + record.key.text.utf8.count + 400 }
    }

    /// What `keep` needs to know that nothing changed since.
    struct Stamp: Sendable {
        fileprivate let slot: Int
        fileprivate let changes: Int
    }

    struct Name: Hashable, Sendable {
        let bucket: String
        let key: String
    }

    private struct State {
        var young: [Name: Entry] = [:]
        var youngSize = 0
        var old: [Name: Entry] = [:]
        /// Touched by the transaction that is running.
        var touched: [Name] = []
        /// How often names that share a slot were changed.
        var changes = [Int](repeating: 0, count: 4096)
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - `limit`: in bytes; 0 keeps nothing.
    init(limit: Int) { self.limit = limit }

    func find(_ name: Name) -> Entry? {
        state.withLock { state in
            if let entry = state.young[name] { return entry }
            guard let entry = state.old.removeValue(forKey: name) else { return nil }
            add(entry, as: name, to: &state)
            return entry
        }
    }

    /// To be asked for before the index is read.
    func stamp(_ name: Name) -> Stamp {
        state.withLock { state in
            let slot = Self.slot(of: name, among: state.changes.count)
            return Stamp(slot: slot, changes: state.changes[slot])
        }
    }

    /// Keeps what was read, unless it was changed since the stamp.
    func keep(_ entry: Entry, as name: Name, since stamp: Stamp) {
        guard entry.size <= limit / 8 else { return }
        state.withLock { state in
            guard state.changes[stamp.slot] == stamp.changes else { return }
            add(entry, as: name, to: &state)
        }
    }

    /// Says that the running transaction changes that object.
    func touch(_ name: Name) { state.withLock { $0.touched.append(name) } }

    /// Says that the transaction has ended, one way or the other.
    func settle() {
        state.withLock { state in
            for name in state.touched {
                if let entry = state.young.removeValue(forKey: name) { state.youngSize -= entry.size }
                state.old[name] = nil
                state.changes[Self.slot(of: name, among: state.changes.count)] += 1
            }
            state.touched.removeAll(keepingCapacity: true)
        }
    }

    private func add(_ entry: Entry, as name: Name, to state: inout State) {
        if let replaced = state.young.updateValue(entry, forKey: name) { state.youngSize -= replaced.size }
        state.youngSize += entry.size
        guard state.youngSize > limit / 2 else { return }
        state.old = state.young
        state.young = [:]
        state.youngSize = 0
    }

    private static func slot(of name: Name, among count: Int) -> Int {
        Int(UInt(bitPattern: name.hashValue) % UInt(count))
    }
}
