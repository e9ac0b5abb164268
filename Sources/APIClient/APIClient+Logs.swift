import AsyncHTTPClient
import Model
package import NIOCore
import NIOHTTP1

/// A job as `GET /system/logs/{service}` lists it.
package struct LoggedJob: Sendable, Hashable {
    package var name: String
    /// `Pending`, `Running`, `Succeeded`, `Failed`, `Unknown` or `Suspended`.
    package var status: String
    /// RFC 3339; `nil` where it has not come to that.
    package var created: String?
    package var started: String?
    package var finished: String?

    package init(name: String, status: String, created: String?, started: String?, finished: String?) {
        (self.name, self.status) = (name, status)
        (self.created, self.started, self.finished) = (created, started, finished)
    }
}

/// A page of jobs.
package struct LoggedJobPage: Sendable, Hashable {
    package var jobs: [LoggedJob]
    /// What to pass for the next page; `nil` on the last one.
    package var next: String?

    package init(jobs: [LoggedJob], next: String?) { (self.jobs, self.next) = (jobs, next) }
}

extension APIClient {
    /// One page of a service's jobs.
    ///
    /// - Throws: `notFound`, `forbidden` and the usual.
    package func loggedJobs(of service: String, page: String? = nil) async throws(APIClientError) -> LoggedJobPage {
        var request = APIRequest(.GET, "system", "logs", service, subject: "service \"\(service)\"")
        if let page { request.query = [("page", page)] }
        let answer = try await document(request)
        // Before version 3, OSCAR sent the map of jobs bare.
        guard let jobs = (answer["jobs"] ?? answer).objectValue else {
            throw APIClientError(.malformedAnswer, "\(endpoint) sends no list of jobs for service \"\(service)\"")
        }
        let next = answer["next_page"]?.stringValue.flatMap { $0.isEmpty || $0 == page ? nil : $0 }
        let listed = jobs.members.map { name, job in
            LoggedJob(
                name: name, status: job["status"]?.stringValue ?? "Unknown",
                created: job["creation_time"]?.stringValue, started: job["start_time"]?.stringValue,
                finished: job["finish_time"]?.stringValue)
        }
        return LoggedJobPage(jobs: listed, next: next)
    }

    /// A job's log, chunk by chunk as it comes.
    ///
    /// - Parameters:
    ///   - timestamps: whether each line begins with the time when it was written.
    ///   - follow: whether to go on until the job has ended; a cluster that cannot do that sends what there is.
    ///   - receive: called with each chunk, in order; the next one is not read before it returns.
    /// - Throws: `notFound`, `forbidden` and the usual, and what `receive` throws as the cause of `cancelled`.
    package func log(
        of service: String,
        job: String,
        timestamps: Bool = false,
        follow: Bool = false,
        receive: (ByteBuffer) async throws -> Void
    ) async throws(APIClientError) {
        let request = APIRequest(.GET, "system", "logs", service, job, subject: "the log of job \"\(job)\"")
        try await log(request, timestamps: timestamps, follow: follow, receive: receive)
    }

    /// Asks for a log and hands it out as it comes.
    func log(
        _ request: APIRequest,
        timestamps: Bool,
        follow: Bool,
        receive: (ByteBuffer) async throws -> Void
    ) async throws(APIClientError) {
        var request = request
        if follow { request.query.append(("follow", "true")) }
        if timestamps { request.query.append(("timestamps", "true")) }
        // The head of a followed log may come only with the job's first line.
        if follow { request.patience = .hours(24 * 365) }
        try await exchange(request) { response in
            for try await chunk in response.body {
                do {
                    try await receive(chunk)
                } catch {
                    throw APIClientError(.cancelled, "the log was not read to its end", cause: error)
                }
            }
        }
    }

    /// Removes a job and its log.
    ///
    /// - Throws: `notFound`, `forbidden` and the usual.
    package func deleteJob(of service: String, _ job: String) async throws(APIClientError) {
        try await send(APIRequest(.DELETE, "system", "logs", service, job, subject: "job \"\(job)\""))
    }

    /// Removes a service's jobs: those that succeeded, or all.
    ///
    /// - Throws: `notFound`, `forbidden` and the usual.
    package func deleteJobs(of service: String, all: Bool) async throws(APIClientError) {
        var request = APIRequest(.DELETE, "system", "logs", service, subject: "service \"\(service)\"")
        if all { request.query = [("all", "true")] }
        try await send(request)
    }
}
