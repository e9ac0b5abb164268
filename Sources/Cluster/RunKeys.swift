package import Model
import Synchronization

/// The answer to a run, kept for a client that asks again.
package struct KeptAnswer: Sendable, Hashable {
    package var contentType: String
    package var isFailure: Bool
    package var body: [UInt8]

    package init(contentType: String, isFailure: Bool, body: [UInt8]) {
        (self.contentType, self.isFailure, self.body) = (contentType, isFailure, body)
    }
}

/// Which runs were asked for under which key, and what they answered.
///
/// Bounded in number, bytes and time; what does not fit is forgotten, the oldest first. Decides only: no clock, no I/O.
struct RunKeyTable {
    struct Key: Hashable {
        let service: ServiceName
        let text: String
    }

    struct Limits {
        var count = 10_000
        var bytes = 64 << 20
        var age = Duration.seconds(600)
    }

    private struct Answer {
        let digest: [UInt8]
        let kept: KeptAnswer?
        let time: Instant
        let place: UInt64
    }

    private let limits: Limits
    private var underWay: Set<Key> = []
    private var answers: [Key: Answer] = [:]
    /// The keys of answers, the oldest first; those that were given anew since stand there with an old place.
    private var order: [(key: Key, place: UInt64)] = []
    private var firstInOrder = 0
    private var nextPlace: UInt64 = 0
    private(set) var bytes = 0

    init(limits: Limits = Limits()) { self.limits = limits }

    var count: Int { answers.count }

    /// What a run under that key comes to; one that is new is under way from now on.
    mutating func begin(_ key: Key, at now: Instant) -> RunKeys.Beginning {
        forget(at: now)
        if let answer = answers[key] { return .known(digest: answer.digest, answer.kept) }
        return underWay.insert(key).inserted ? .new : .underWay
    }

    /// The run has an answer; `nil` where it is too large to be kept.
    mutating func answered(_ key: Key, digest: [UInt8], _ answer: KeptAnswer?, at now: Instant) {
        underWay.remove(key)
        nextPlace += 1
        answers[key] = Answer(digest: digest, kept: answer, time: now, place: nextPlace)
        bytes += answer?.body.count ?? 0
        order.append((key, nextPlace))
        forget(at: now)
    }

    /// The run came to nothing: the next one is new.
    mutating func abandoned(_ key: Key) { underWay.remove(key) }

    private mutating func forget(at now: Instant) {
        while firstInOrder < order.count {
            let (key, place) = order[firstInOrder]
            if let answer = answers[key], answer.place == place {
                let isOld = now - answer.time > limits.age || now < answer.time
                guard isOld || answers.count > limits.count || bytes > limits.bytes else { break }
                bytes -= answer.kept?.body.count ?? 0
                answers[key] = nil
            }
            firstInOrder += 1
        }
        guard firstInOrder > 1024, firstInOrder * 2 > order.count else { return }
        order.removeFirst(firstInOrder)
        firstInOrder = 0
    }
}

/// Keeps the answers of runs that came with an `Idempotency-Key`, so that a run that is asked for twice runs once.
package final class RunKeys: Sendable {
    /// What a run under a key comes to.
    package enum Beginning: Sendable, Hashable {
        /// It is to be run, and then `answered` or `abandoned`.
        case new
        /// The same key is being run.
        case underWay
        /// It was run on a body with that digest; the answer is `nil` where it was too large to be kept.
        case known(digest: [UInt8], KeptAnswer?)
    }

    /// A larger answer is not kept, in bytes.
    package static let largestAnswer = 1 << 20

    private let table = Mutex(RunKeyTable())
    private let now: @Sendable () -> Instant

    package init(now: @escaping @Sendable () -> Instant) { self.now = now }

    package func begin(_ key: IdempotencyKey, of service: ServiceName) -> Beginning {
        let now = now()
        return table.withLock { $0.begin(.init(service: service, text: key.text), at: now) }
    }

    package func answered(_ key: IdempotencyKey, of service: ServiceName, digest: [UInt8], _ answer: KeptAnswer?) {
        let now = now()
        table.withLock { $0.answered(.init(service: service, text: key.text), digest: digest, answer, at: now) }
    }

    package func abandoned(_ key: IdempotencyKey, of service: ServiceName) {
        table.withLock { $0.abandoned(.init(service: service, text: key.text)) }
    }
}
