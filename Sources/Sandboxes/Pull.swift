import Synchronization

/// Fetching one image, for everybody who waits for it.
final class Pull: Sendable {
    typealias Work = @Sendable (@escaping @Sendable (String) -> Void) async throws -> StoredImage

    let source: ImageSource
    private let task: Task<StoredImage, any Error>
    private let state: Listeners

    private final class Listeners: Sendable {
        struct State {
            var listeners: [Int: @Sendable (String) -> Void] = [:]
            var next = 0
            var isOver = false
        }

        let state = Mutex(State())

        func tell(_ line: String) {
            for listener in state.withLock({ Array($0.listeners.values) }) { listener(line) }
        }
    }

    init(source: ImageSource, work: @escaping Work) {
        self.source = source
        let listeners = Listeners()
        state = listeners
        // Awaited by everyone in `result`; cancelled when the last of them loses interest.
        task = Task {
            defer { listeners.state.withLock { $0.isOver = true } }
            return try await work { listeners.tell($0) }
        }
    }

    /// Whether nobody should join any more.
    var isOver: Bool { task.isCancelled || state.state.withLock { $0.isOver } }

    /// Waits for the end.
    ///
    /// The work is stopped when all who wait are cancelled; until then they wait on together.
    func result(_ progress: @escaping @Sendable (String) -> Void) async throws(SandboxError) -> StoredImage {
        let number = state.state.withLock { state in
            state.next += 1
            state.listeners[state.next] = progress
            return state.next
        }
        do {
            let image = try await withTaskCancellationHandler {
                try await task.value
            } onCancel: {
                leave(number)
            }
            leave(number)
            return image
        } catch let error as SandboxError {
            throw error
        } catch {
            throw SandboxError(.cancelled, "fetching an image was cancelled", cause: error)
        }
    }

    private func leave(_ number: Int) {
        let isLast = state.state.withLock { state in
            state.listeners[number] = nil
            return state.listeners.isEmpty && !state.isOver
        }
        if isLast { task.cancel() }
    }
}
