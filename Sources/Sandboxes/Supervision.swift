import Glibc
import Subprocess

/// Why the sandbox ended a script.
enum StopReason: Sendable {
    case timedOut
    case cancelled
}

/// One script under watch: its time-out, its cancellation, its end.
struct Supervision: Sendable {
    let process: ScriptProcess
    let timeout: Duration?
    let gracePeriod: Duration
    /// Finds the members of the tree that left its process group; needed only without a control group.
    let marked: MarkedProcesses?

    struct Result: Sendable {
        var status: TerminationStatus
        var stopped: StopReason?
    }

    private enum Event: Sendable {
        case ended(Swift.Result<TerminationStatus, any Error>)
        case stopped(StopReason)
        case nothing
    }

    /// Gives the orders and waits until the script's own process has ended, or was ended.
    func run(_ orders: ScriptProcess.Orders) async throws -> Result {
        // One reason is enough: the first.
        let (reasons, stop) = AsyncStream.makeStream(of: StopReason.self, bufferingPolicy: .bufferingOldest(1))
        return try await withTaskCancellationHandler {
            // Awaited here. A task of its own goes on in spite of the cancellation, to end the tree in good order.
            try await Task { try await watch(orders, reasons: reasons, stop: stop) }.value
        } onCancel: {
            stop.yield(.cancelled)
        }
    }

    private func watch(
        _ orders: ScriptProcess.Orders,
        reasons: AsyncStream<StopReason>,
        stop: AsyncStream<StopReason>.Continuation
    ) async throws -> Result {
        try await withThrowingTaskGroup(of: Event.self) { tasks in
            tasks.addTask {
                do { return .ended(.success(try await process.run(orders))) } catch { return .ended(.failure(error)) }
            }
            tasks.addTask {
                guard let reason = await reasons.first(where: { _ in true }) else { return .nothing }
                await process.end(gracePeriod: gracePeriod, marked: marked)
                return .stopped(reason)
            }
            if let timeout {
                tasks.addTask {
                    // Fails only where the script has ended before.
                    if (try? await Task.sleep(for: timeout)) != nil { stop.yield(.timedOut) }
                    return .nothing
                }
            }
            var ended: Swift.Result<TerminationStatus, any Error>?
            var stopped: StopReason?
            for try await event in tasks {
                switch event {
                case .ended(let result):
                    ended = result
                    tasks.cancelAll()
                case .stopped(let reason): stopped = reason
                case .nothing: break
                }
            }
            switch ended {
            case .success(let status): return Result(status: status, stopped: stopped)
            // Ended by us before it had read its orders.
            case .failure where stopped != nil: return Result(status: .signaled(SIGTERM), stopped: stopped)
            case .failure(let error): throw error
            case nil: throw CancellationError()  // cannot be: the first task always tells
            }
        }
    }
}
