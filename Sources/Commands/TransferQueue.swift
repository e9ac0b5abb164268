import Synchronization

/// Runs transfers, a few at a time, and keeps count of those that failed.
final class TransferQueue: Sendable {
    /// How many files move at once.
    static let concurrency = 4

    private struct Outcome {
        var count = 0
        var failures = 0
        var lastFailure: CommandError?
    }

    private let outcome = Mutex(Outcome())
    let display: TransferDisplay

    init(_ display: TransferDisplay) { self.display = display }

    /// Lets `produce` add transfers one after the other; adding waits while enough are under way.
    ///
    /// - Throws: what `produce` throws; the error of the only transfer; `partial` where one of several failed.
    func run(_ produce: (_ add: (@escaping @Sendable () async throws -> Void) async -> Void) async throws -> Void)
        async throws
    {
        try await withThrowingTaskGroup(of: Void.self) { group in
            var underWay = 0
            func add(_ transfer: @escaping @Sendable () async throws -> Void) async {
                if underWay >= Self.concurrency {
                    // Transfers never throw: `attempt` counts their failures.
                    _ = try? await group.next()
                    underWay -= 1
                }
                underWay += 1
                group.addTask { await self.attempt(transfer) }
            }
            try await produce(add)
            try await group.waitForAll()
        }
        display.finish()
        try report()
    }

    private func attempt(_ transfer: @Sendable () async throws -> Void) async {
        do {
            try await transfer()
            outcome.withLock { $0.count += 1 }
        } catch {
            fail(CommandError(error))
        }
    }

    /// Counts something that could not be done, and says so once it is not alone.
    func fail(_ error: CommandError) {
        let toPrint: [CommandError] = outcome.withLock { outcome in
            outcome.count += 1
            outcome.failures += 1
            // The first one is kept back: alone it becomes the error of the command itself.
            let earlier = outcome.failures == 2 ? [outcome.lastFailure].compactMap { $0 } : []
            outcome.lastFailure = error
            return outcome.failures > 1 ? earlier + [error] : []
        }
        if !toPrint.isEmpty { display.finish() }
        for error in toPrint { Console.complain("Error: \(error.message)") }
    }

    private func report() throws(CommandError) {
        let result = outcome.withLock { $0 }
        guard let failure = result.lastFailure else { return }
        if result.count == 1 { throw failure }
        if result.failures == 1 { Console.complain("Error: \(failure.message)") }
        throw CommandError(.partial, "\(result.failures) of \(result.count) files failed")
    }
}
