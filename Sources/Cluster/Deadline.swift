import Model

/// A limit of time for the first part of some work.
enum Deadline {
    /// Says that the part is over that the limit is for.
    struct Wait: Sendable {
        fileprivate let over: AsyncStream<Void>.Continuation

        func end() { over.finish() }
    }

    /// Does the work; where the part that `Wait` ends takes longer, it is cancelled.
    ///
    /// - Throws: `JobFailure` with `timeout` where the time was over; what the work throws.
    static func run<T: Sendable>(
        within limit: Duration?,
        _ work: @escaping @Sendable (Wait) async throws -> T
    ) async throws -> T {
        let (ends, over) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingOldest(1))
        let wait = Wait(over: over)
        guard let limit else { return try await work(wait) }
        return try await withThrowingTaskGroup(of: T?.self) { group in
            defer { group.cancelAll() }
            group.addTask { try await work(wait) }
            group.addTask {
                try await withThrowingTaskGroup(of: Void.self) { inner in
                    inner.addTask {
                        try await Task.sleep(for: limit)
                        throw JobFailure(
                            .timeout, exitCode: 124,
                            message: "nothing could start it within the service's timeout of \(limit.shortText)")
                    }
                    inner.addTask { for await _ in ends {} }
                    try await inner.next()
                    inner.cancelAll()
                }
                return nil
            }
            while let result = try await group.next() {
                if let result { return result }
            }
            throw CancellationError()
        }
    }
}
