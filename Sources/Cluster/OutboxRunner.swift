import Logging
package import Model
import Scheduling
import Synchronization

/// What the line to one destination reads, sends and records.
protocol Outbox: Sendable {
    /// For logs and lists.
    var destination: String { get }

    /// The entries after that one that are due, the oldest first, and when the next one is due that is not yet.
    func entries(
        after id: Int64,
        at now: Instant,
        limit: Int
    ) async throws -> (due: [OutboxLine.Entry], nextDue: Instant?)

    /// Sends an entry and records its arrival.
    ///
    /// - Returns: `nil` where it arrived, or does not wait any more.
    func send(_ id: Int64) async -> OutboxFailure?

    /// Records why an entry did not arrive.
    func failed(_ id: Int64, _ failure: OutboxFailure, next: Instant) async throws

    /// When the link opens; `nil` where it is open.
    func opening(at now: Instant) -> Instant?
}

/// Why an entry did not arrive.
struct OutboxFailure: Sendable {
    let setback: OutboxLine.Setback
    /// In words.
    let message: String

    init(_ setback: OutboxLine.Setback, _ message: String) { (self.setback, self.message) = (setback, message) }
}

/// What a line does at the moment.
package struct OutboxState: Sendable, Hashable {
    package enum Activity: String, Sendable, CaseIterable {
        /// Nothing is under way, and nothing hinders.
        case idle
        case sending
        /// The destination failed, and is left alone until `next`.
        case resting
        /// The link is closed until `next`.
        case closed
    }

    package var activity: Activity
    package var active: Int
    /// In a row.
    package var failures: Int
    package var next: Instant?
    package var lastError: String?
}

/// Does what an `OutboxLine` decides, for one destination.
///
/// Nobody waits for a line's end: a destination that is slow or down holds up nobody else.
final class OutboxRunner<Box: Outbox>: Sendable {
    private struct State {
        var line: OutboxLine
        var lastError: String?
    }

    /// How long to wait before the store is asked again that could not be read.
    private static var pauseAfterError: Duration { .seconds(5) }

    let box: Box
    private let state: Mutex<State>
    private let signal = Signal()
    private let now: @Sendable () -> Instant
    private let logger: Logger

    init(
        _ box: Box,
        parallel: Int,
        backoff: Backoff,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.box = box
        state = Mutex(State(line: OutboxLine(parallel: parallel, backoff: backoff)))
        self.now = now
        self.logger = logger
    }

    /// Something new waits.
    func news() {
        state.withLock { $0.line.news() }
        signal.send()
    }

    /// Everything is to be tried now.
    func retry() {
        state.withLock { $0.line.retry() }
        signal.send()
    }

    /// Entries were taken away.
    func withdrawn() {
        state.withLock { $0.line.withdrawn() }
        signal.send()
    }

    var current: OutboxState {
        let now = now()
        let opening = box.opening(at: now)
        return state.withLock { state in
            let rest = state.line.restsUntil.flatMap { $0 > now ? $0 : nil }
            let active = state.line.activeCount
            let activity: OutboxState.Activity =
                if active > 0 { .sending } else if opening != nil { .closed } else if rest != nil { .resting } else {
                    .idle
                }
            return OutboxState(
                activity: activity, active: active, failures: state.line.failures,
                next: active > 0 ? nil : opening ?? rest, lastError: state.lastError)
        }
    }

    /// Empties the outbox until the task is cancelled, or nothing waits any more where that is an end.
    func run(endsWhenEmpty: Bool) async {
        await withDiscardingTaskGroup { group in
            var timer: Task<Void, any Error>?
            signal.send()
            for await _ in signal.rings {
                timer?.cancel()
                guard let wait = await work(in: &group) else {
                    if endsWhenEmpty { return }
                    continue
                }
                timer = wakeUp(at: wait)
            }
            timer?.cancel()
        }
    }

    /// Does all that can be done now.
    ///
    /// - Returns: when there is more, `nil` inside for not before something happens; `nil` where nothing waits.
    private func work(in group: inout DiscardingTaskGroup) async -> Instant?? {
        while !Task.isCancelled {
            let now = now()
            let opening = box.opening(at: now)
            switch state.withLock({ $0.line.next(at: now, opening: opening) }) {
            case .load(let after, let limit):
                guard await load(after: after, limit: limit) else { return .some(now + Self.pauseAfterError) }
            case .send(let id):
                group.addTask { [self] in
                    await send(id)
                    signal.send()
                }
            case .wait(let until): return .some(until)
            case .end: return nil
            }
        }
        return .some(nil)
    }

    private func load(after id: Int64, limit: Int) async -> Bool {
        do {
            let (due, next) = try await box.entries(after: id, at: now(), limit: limit)
            state.withLock { $0.line.loaded(due, limit: limit, nextDue: next) }
            return true
        } catch {
            state.withLock { $0.line.loadFailed() }
            if !Task.isCancelled {
                logger.error(
                    "what waits for a destination cannot be read",
                    metadata: ["destination": "\(box.destination)", "error": "\(error)"])
            }
            return false
        }
    }

    private func send(_ id: Int64) async {
        guard let failure = await box.send(id) else {
            let wasDown = state.withLock { state in
                let wasDown = state.line.failures > 0
                state.line.arrived(id)
                state.lastError = nil
                return wasDown
            }
            if wasDown {
                logger.notice("a destination takes again", metadata: ["destination": "\(box.destination)"])
            }
            return
        }
        guard !Task.isCancelled else { return }
        await failed(id, failure)
    }

    private func failed(_ id: Int64, _ failure: OutboxFailure) async {
        let now = now()
        let pause = state.withLock { state in
            var random = SystemRandomNumberGenerator()
            return state.line.pause(after: failure.setback, of: id, using: &random)
        }
        // What rests by itself is recorded first: read before that, it would be due.
        if case .entry = failure.setback { await record(id, failure, next: now + pause) }
        let next = state.withLock { state in
            if failure.setback != .interrupted { state.lastError = failure.message }
            return state.line.failed(id, failure.setback, at: now, pause: pause)
        }
        if case .destination = failure.setback { await record(id, failure, next: next) }
    }

    private func record(_ id: Int64, _ failure: OutboxFailure, next: Instant) async {
        logger.warning(
            "something cannot be delivered now; it is tried again",
            metadata: [
                "destination": "\(box.destination)", "delivery": "\(id)", "error": "\(failure.message)",
                "retry.seconds": "\((next - now()).seconds)",
            ]
        )
        do { try await box.failed(id, failure, next: next) } catch {
            guard !Task.isCancelled else { return }
            logger.error(
                "a failed delivery cannot be recorded",
                metadata: ["destination": "\(box.destination)", "error": "\(error)"])
        }
    }

    private func wakeUp(at time: Instant?) -> Task<Void, any Error>? {
        guard let time else { return nil }
        let wait = max(.zero, time - now())
        // Ends by itself; `run` cancels it when there is news or the end has come.
        return Task { [signal] in
            try await Task.sleep(for: wait)
            signal.send()
        }
    }
}
