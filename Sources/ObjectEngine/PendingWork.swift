import Synchronization

/// Blocking work that was begun, and whose end one caller waits for, or nobody.
final class PendingWork<Value: Sendable>: Sendable {
    private enum State {
        case running
        case awaited(CheckedContinuation<Result<Value, ObjectStoreError>, Never>)
        /// Nobody will ask; the value is for somebody to clear away.
        case abandoned(@Sendable (Result<Value, ObjectStoreError>) -> Void)
        case ended(Result<Value, ObjectStoreError>)
    }

    private let state = Mutex(State.running)

    /// The end is here; once.
    func end(_ result: Result<Value, ObjectStoreError>) {
        let waiting = state.withLock { state in
            let waiting = state
            state = .ended(result)
            return waiting
        }
        switch waiting {
        case .awaited(let continuation): continuation.resume(returning: result)
        case .abandoned(let clear): clear(result)
        case .running, .ended: break
        }
    }

    /// What came of it, when it is done; to be asked once.
    func result() async -> Result<Value, ObjectStoreError> {
        await withCheckedContinuation { continuation in
            let ended = state.withLock { state -> Result<Value, ObjectStoreError>? in
                if case .ended(let result) = state { return result }
                state = .awaited(continuation)
                return nil
            }
            if let ended { continuation.resume(returning: ended) }
        }
    }

    /// Nobody will ask for the result: `clear` gets it, now or later.
    func abandon(_ clear: @escaping @Sendable (Result<Value, ObjectStoreError>) -> Void) {
        let ended = state.withLock { state -> Result<Value, ObjectStoreError>? in
            if case .ended(let result) = state { return result }
            state = .abandoned(clear)
            return nil
        }
        if let ended { clear(ended) }
    }
}
