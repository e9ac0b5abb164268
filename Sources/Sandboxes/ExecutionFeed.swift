import InitWire
import Synchronization

/// What comes of one execution, from the event loop to the task that waits for it.
final class ExecutionFeed: Sendable {
    enum Event: Sendable {
        case output(SandboxOutput)
        case ended(InitFrame.End)
        case refused(String)
        /// The instance has ended.
        case lost
    }

    private struct State {
        var events: [Event] = []
        var size = 0
        var waiter: UnsafeContinuation<[Event], Never>?
        var taker: (@Sendable ([Event]) -> Void)?
        var isOver = false
        var isStalled = false

        mutating func take() -> [Event] {
            defer { (events, size) = ([], 0) }
            return events
        }
    }

    /// More than this, and nothing is read from the instance until it was taken.
    private static let room = 256 << 10

    let id: UInt32
    private let state = Mutex(State())

    /// - Parameter taker: gets the events where they are delivered, instead of whoever calls `next`.
    init(id: UInt32, taker: (@Sendable ([Event]) -> Void)? = nil) {
        self.id = id
        if let taker { state.withLock { $0.taker = taker } }
    }

    /// From now on events are for those who call `next`, and first of all those.
    func stopTaking(_ events: [Event]) {
        state.withLock { state in
            state.taker = nil
            state.events = events + state.events
        }
    }

    /// Adds an event; whoever waits is told by `deliver`.
    func add(_ event: Event) {
        state.withLock { state in
            guard !state.isOver else { return }
            if case .output(let piece) = event { state.size += piece.bytes.count } else { state.isOver = true }
            state.events.append(event)
        }
    }

    /// Nothing can follow.
    var isOver: Bool { state.withLock { $0.isOver } }

    /// Whether so much waits that no more is to be read until `takeStall` tells that somebody has taken it.
    func stall() -> Bool {
        state.withLock { state in
            state.isStalled = state.size >= Self.room
            return state.isStalled
        }
    }

    /// Whether reading had stopped and can go on.
    func takeStall() -> Bool {
        state.withLock { state in
            defer { state.isStalled = false }
            return state.isStalled
        }
    }

    /// Hands over what was added.
    func deliver() {
        let (waiter, taker, events) = state.withLock {
            state -> (UnsafeContinuation<[Event], Never>?, (@Sendable ([Event]) -> Void)?, [Event]) in
            guard !state.events.isEmpty else { return (nil, nil, []) }
            if let taker = state.taker {
                if state.isOver { state.taker = nil }
                return (nil, taker, state.take())
            }
            guard let waiter = state.waiter.take() else { return (nil, nil, []) }
            return (waiter, nil, state.take())
        }
        waiter?.resume(returning: events)
        taker?(events)
    }

    /// The next events, at least one; the last one is no output.
    func next() async -> [Event] {
        await withUnsafeContinuation { continuation in
            let events = state.withLock { state -> [Event]? in
                guard !state.events.isEmpty else {
                    state.waiter = continuation
                    return nil
                }
                return state.take()
            }
            if let events { continuation.resume(returning: events) }
        }
    }
}
