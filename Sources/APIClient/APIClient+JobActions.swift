package import Model
package import NIOCore
import NIOHTTP1

/// Which jobs a command for many jobs speaks of.
package struct JobSelection: Sendable, Hashable {
    package var service: String?
    /// At least one.
    package var states: [String]
    /// Only those that ended then or later.
    package var since: Instant?

    package init(service: String? = nil, states: [String], since: Instant? = nil) {
        (self.service, self.states, self.since) = (service, states, since)
    }

    var query: [(name: String, value: String)] {
        var query = [(name: "state", value: states.joined(separator: ","))]
        if let service { query.append(("service", service)) }
        if let since { query.append(("since", since.rfc3339(fractionDigits: 9))) }
        // As many as a cluster takes on at once.
        query.append(("limit", "1000"))
        return query
    }
}

extension APIClient {
    /// All that is known of a job, its attempts and its event included.
    ///
    /// - Throws: `notFound` and the usual.
    package func job(_ name: String) async throws(APIClientError) -> JSONValue {
        try await document(APIRequest(.GET, "apus", "v1", "jobs", name, subject: "job \"\(name)\""))
    }

    /// The log of a job's attempt, chunk by chunk as it comes.
    ///
    /// - Parameters:
    ///   - attempt: from 1; the last one where `nil`.
    ///   - timestamps: whether each line begins with the time when it was written.
    ///   - follow: whether to go on until the attempt has ended.
    ///   - receive: called with each chunk, in order; the next one is not read before it returns.
    /// - Throws: `notFound` and the usual, and what `receive` throws as the cause of `cancelled`.
    package func jobLog(
        _ name: String,
        attempt: Int? = nil,
        timestamps: Bool = false,
        follow: Bool = false,
        receive: (ByteBuffer) async throws -> Void
    ) async throws(APIClientError) {
        var request = APIRequest(.GET, "apus", "v1", "jobs", name, "log", subject: "the log of job \"\(name)\"")
        if let attempt { request.query.append(("attempt", "\(attempt)")) }
        try await log(request, timestamps: timestamps, follow: follow, receive: receive)
    }

    /// Ends a job wherever it is.
    ///
    /// - Throws: `notFound`; `conflict` where it has ended already; the usual.
    package func cancelJob(_ name: String) async throws(APIClientError) {
        try await send(APIRequest(.POST, "apus", "v1", "jobs", name, "cancel", subject: "job \"\(name)\""))
    }

    /// Sends a job that ended without success on its way again.
    ///
    /// - Throws: `notFound`; `conflict` where it is under way or has succeeded; the usual.
    package func retryJob(_ name: String) async throws(APIClientError) {
        try await send(APIRequest(.POST, "apus", "v1", "jobs", name, "retry", subject: "job \"\(name)\""))
    }

    /// Removes a job that ended without success.
    ///
    /// - Throws: as `retryJob`.
    package func purgeJob(_ name: String) async throws(APIClientError) {
        try await send(APIRequest(.DELETE, "apus", "v1", "jobs", name, subject: "job \"\(name)\""))
    }

    /// Sends many on their way again; answers how many, and is to be called again until that is 0.
    ///
    /// - Throws: `invalid` and the usual.
    package func retryJobs(_ selection: JobSelection) async throws(APIClientError) -> Int64 {
        var request = APIRequest(.POST, "apus", "v1", "jobs", "retry", subject: "the jobs")
        request.query = selection.query
        return try await document(request)["jobs"]?.integerValue ?? 0
    }

    /// Removes many; answers how many, and is to be called again until that is 0.
    ///
    /// - Throws: `invalid` and the usual.
    package func purgeJobs(_ selection: JobSelection) async throws(APIClientError) -> Int64 {
        var request = APIRequest(.DELETE, "apus", "v1", "jobs", subject: "the jobs")
        request.query = selection.query
        return try await document(request)["jobs"]?.integerValue ?? 0
    }
}
