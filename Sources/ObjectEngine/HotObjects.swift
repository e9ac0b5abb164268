import Model
import NIOCore
import S3Wire
import Synchronization

/// Objects that were read lately, small ones with their content, in memory: answered without changing threads.
///
/// Never shows an acknowledged change too late: the index's own triggers tell of every row of `objects` that a
/// transaction touches, whoever wrote the statement, and what was touched is dropped between the commit and its
/// acknowledgement. What a reader found before a commit is not kept after it.
///
/// Two generations: what is found in the old one moves to the young one; when the young one is full, the old one
/// goes. That keeps what is used again, for the price of a look-up.
final class HotObjects: Sendable {
    /// What `keep` needs to know that nothing changed since.
    struct Stamp: Sendable {
        fileprivate let slot: Int
        fileprivate let changes: Int
    }

    /// Compared by bytes: keys that look alike may be different objects.
    struct Name: Hashable, Sendable {
        let bucket: String
        let key: String

        static func == (left: Name, right: Name) -> Bool {
            KeyRange.areEqual(left.key, right.key) && left.bucket == right.bucket
        }

        func hash(into hasher: inout Hasher) {
            hasher.combine(bucket)
            var key = key
            key.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    private struct State {
        var young: [Name: FoundObject] = [:]
        var youngSize = 0
        var old: [Name: FoundObject] = [:]
        /// Touched by the transaction that is running.
        var touched: [Name] = []
        /// Whether it changed something that concerns all.
        var areAllTouched = false
        /// How often names that share a slot were changed.
        var changes = [Int](repeating: 0, count: 4096)
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - `limit`: in bytes; 0 keeps nothing.
    init(limit: Int) { self.limit = limit }

    func find(_ name: Name) -> FoundObject? {
        state.withLock { state in
            if let found = state.young[name] { return found }
            guard let found = state.old.removeValue(forKey: name) else { return nil }
            add(found, as: name, to: &state)
            return found
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
    func keep(_ found: FoundObject, as name: Name, since stamp: Stamp) {
        guard found.memorySize <= limit / 8 else { return }
        state.withLock { state in
            guard state.changes[stamp.slot] == stamp.changes else { return }
            add(found, as: name, to: &state)
        }
    }

    /// Says that the running transaction changes that object.
    func touch(_ name: Name) { state.withLock { $0.touched.append(name) } }

    /// Says that the running transaction changes what many objects have in common.
    func touchAll() { state.withLock { $0.areAllTouched = true } }

    /// Says that the transaction has ended, one way or the other.
    func settle() {
        state.withLock { state in
            if state.areAllTouched {
                state.areAllTouched = false
                (state.young, state.youngSize, state.old) = ([:], 0, [:])
                for slot in state.changes.indices { state.changes[slot] += 1 }
            }
            for name in state.touched {
                if let found = state.young.removeValue(forKey: name) { state.youngSize -= found.memorySize }
                state.old[name] = nil
                state.changes[Self.slot(of: name, among: state.changes.count)] += 1
            }
            state.touched.removeAll(keepingCapacity: true)
        }
    }

    private func add(_ found: FoundObject, as name: Name, to state: inout State) {
        if let replaced = state.young.updateValue(found, forKey: name) { state.youngSize -= replaced.memorySize }
        state.youngSize += found.memorySize
        guard state.youngSize > limit / 2 else { return }
        state.old = state.young
        state.young = [:]
        state.youngSize = 0
    }

    private static func slot(of name: Name, among count: Int) -> Int {
        Int(UInt(bitPattern: name.hashValue) % UInt(count))
    }
}

extension FoundObject {
    /// What it costs in memory, about, in bytes.
    fileprivate var memorySize: Int {
        let bytes: Int = if case .bytes(let buffer, _) = content { buffer.readableBytes } else { 0 }
        return bytes + record.key.text.utf8.count + record.attributes.memorySize + 400
    }
}

extension ObjectAttributes {
    /// What they cost in memory, about, in bytes.
    fileprivate var memorySize: Int {
        let pairs = [userMetadata, headers].joined().reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 64 }
        return pairs + contentType.utf8.count
            + tags.tags.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 64 }
    }
}
