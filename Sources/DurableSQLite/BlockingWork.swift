import Dispatch

/// Work that waits for the disk, kept away from the threads that run tasks.
enum BlockingWork {
    /// Runs `body` on a thread of its own kind and returns its value.
    static func run<T: Sendable>(_ body: @escaping @Sendable () -> T) async -> T {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(returning: body()) }
        }
    }
}
