package import Model
import Scheduling
package import StateStore
import SystemPackage

/// A job with all that is known of it.
package struct JobReport: Sendable {
    package var view: JobView
    package var attempts: [AttemptRecord]
    /// `nil` where it is too large to be shown.
    package var event: [UInt8]?
}

extension JobBoard {
    /// A larger event is not shown.
    private static let largestEvent = ByteCount(256 << 10)

    /// The job of that name, of whatever service.
    ///
    /// - Throws: `ClusterError` with `notFound`.
    package func job(_ name: JobName) async throws -> JobView {
        do {
            guard let record = try await state.job(named: name) else { throw Self.noJob(name) }
            return try await job(name, of: record.service)
        } catch { throw Self.translate(error) }
    }

    /// - Throws: `ClusterError` with `notFound`.
    package func report(_ name: JobName) async throws -> JobReport {
        let view = try await job(name)
        do {
            var event = try await state.event(of: view.record.number)
            let path = data.events.appending(name.text)
            if event == nil, Folder.size(of: path) <= Self.largestEvent.bytes {
                // The file of a job that has succeeded is gone.
                event = try? await Folder.offload {
                    _ = try Folder.read(path, from: 0, atMost: 1)
                    return try Folder.readFile(path)
                }
            }
            return JobReport(
                view: view, attempts: try await state.attempts(of: view.record.number), event: event)
        } catch { throw Self.translate(error) }
    }

    // MARK: Cancelling

    /// Ends a job wherever it is: a waiting one does not start, a running one is stopped and its results are not stored,
    /// and what waits for other storages is not delivered.
    ///
    /// Cancelling a cancelled job changes nothing.
    ///
    /// - Throws: `ClusterError` with `notFound`; `conflict` where the job has ended otherwise.
    package func cancel(_ name: JobName, by principal: String) async throws {
        let job = try await job(name).record
        do {
            let result = AttemptResult(message: "cancelled by \(principal)")
            guard try await steps.take([.cancelled], of: job.number, result) != nil else {
                let now = try await self.job(name).record
                guard now.state == .cancelled else {
                    throw ClusterError(
                        code: .conflict, message: "the job \"\(name)\" has ended already: it is \(now.state.rawValue)")
                }
                return
            }
            scheduler.jobWithdrawn(job.number, of: job.service)
            _ = scheduler.cancel(job.number)
            // Who follows the log of a job that has not started waits for nothing.
            logs.ended(logs.path(job.service, name, attempt: job.attempts + 1))
        } catch { throw Self.translate(error) }
    }

    // MARK: Beginning anew

    /// Sends a job that failed, is dead or was cancelled on its way again, with all attempts that its service allows;
    /// one that waits for its next attempt waits no longer.
    ///
    /// - Throws: `ClusterError` with `notFound`; `conflict` where the job is under way or has succeeded.
    package func sendAgain(_ name: JobName) async throws {
        let job = try await job(name).record
        do {
            guard try await steps.take([.sentAgain], of: job.number, AttemptResult(message: job.message)) != nil else {
                throw ClusterError(
                    code: .conflict,
                    message: "the job \"\(name)\" cannot be tried again: it is \(job.state.rawValue)")
            }
            scheduler.jobReturned(to: job.service)
        } catch { throw Self.translate(error) }
    }

    /// As above for all that match, at most so many as the filter's limit; answers how many.
    package func sendAgain(_ filter: JobFilter) async throws -> Int {
        do {
            let jobs = try await state.sendAgain(filter, at: now())
            for service in Set(jobs.map(\.service)) { scheduler.jobReturned(to: service) }
            return jobs.count
        } catch { throw Self.translate(error) }
    }

    // MARK: Purging

    /// Removes a job that ended without success, with its event and logs.
    ///
    /// - Throws: `ClusterError` with `notFound`; `conflict` where the job has not ended so.
    package func purge(_ name: JobName) async throws {
        let job = try await job(name).record
        guard job.state.isUnsuccessful else {
            throw ClusterError(
                code: .conflict,
                message: "the job \"\(name)\" is \(job.state.rawValue); only failed, dead and cancelled jobs are purged"
            )
        }
        try await remove(name, of: job.service)
    }

    /// As above for all that match, at most so many as the filter's limit; answers how many.
    package func purge(_ filter: JobFilter) async throws -> Int {
        do {
            let jobs = try await state.purge(filter)
            for job in jobs { try await removeFiles(of: job.name, job.service) }
            return jobs.count
        } catch { throw Self.translate(error) }
    }

    private static func noJob(_ name: JobName) -> ClusterError {
        ClusterError(code: .notFound, message: "there is no job \"\(name)\"")
    }
}

extension JobRecord {
    /// Why a job waits that has failed before; `nil` where it only waits for its turn.
    var waitReason: String? {
        guard let notBefore else { return nil }
        let cause = message.map { ", because the last one failed: \($0)" } ?? ""
        return "waits until \(notBefore.rfc3339()) for attempt \(attempts + 1)\(cause)"
    }
}
