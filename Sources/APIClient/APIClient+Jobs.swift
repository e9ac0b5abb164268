package import Model
import NIOHTTP1

/// A page of jobs with all that is known of them: `GET /apus/v1/jobs`.
package struct JobPage: Sendable, Hashable {
    package var jobs: [JobDetail]
    /// What to pass as `after` for the next page; `nil` on the last one.
    package var next: String?

    package init(jobs: [JobDetail], next: String?) { (self.jobs, self.next) = (jobs, next) }
}

/// One job of `GET /apus/v1/jobs`.
package struct JobDetail: Sendable, Hashable {
    package var name: String
    package var service: String
    package var state: String
    /// What a waiting job waits for, or why one failed; empty where there is nothing to say.
    package var reason: String
    package var attempts: Int64
    package var exitCode: Int64?
    package var message: String
    /// RFC 3339; `nil` where it has not come to that.
    package var created: String?
    package var started: String?
    package var finished: String?
    /// `bucket/key` of the input; empty for one that came by the API.
    package var input: String
    /// The whole object as the cluster sent it.
    package var json: JSONValue

    /// Reads one element of the list; absent members are empty.
    package init(_ json: JSONValue) {
        func text(_ key: String) -> String { json[key]?.stringValue ?? "" }
        func time(_ key: String) -> String? { json[key]?.stringValue.flatMap { $0.isEmpty ? nil : $0 } }
        (name, service, state) = (text("name"), text("service"), text("state"))
        (reason, message) = (text("reason"), text("message"))
        attempts = json["attempts"]?.integerValue ?? 0
        exitCode = json["exit_code"]?.integerValue
        (created, started, finished) = (time("created"), time("started"), time("finished"))
        let bucket = json["input"]?["bucket"]?.stringValue ?? ""
        let key = json["input"]?["key"]?.stringValue ?? ""
        input = bucket.isEmpty ? key : "\(bucket)/\(key)"
        self.json = json
    }
}

extension APIClient {
    /// One page of jobs, of one service or of all.
    ///
    /// - Parameters:
    ///   - state: only jobs in that state, or in those, separated by commas.
    ///   - since: only jobs that ended then or later.
    ///   - after: the `next` of the page before.
    /// - Throws: `notFound` also where the cluster is not Apus; `invalid` for an unknown state; the usual.
    package func jobs(
        of service: String? = nil,
        state: String? = nil,
        since: Instant? = nil,
        limit: Int = 100,
        after: String? = nil
    ) async throws(APIClientError) -> JobPage {
        var request = APIRequest(.GET, "apus", "v1", "jobs", subject: "the list of jobs")
        if let service { request.query.append(("service", service)) }
        if let state { request.query.append(("state", state)) }
        if let since { request.query.append(("since", since.rfc3339(fractionDigits: 9))) }
        request.query.append(("limit", "\(limit)"))
        if let after { request.query.append(("after", after)) }
        let answer = try await document(request)
        let list = try elements(answer["jobs"] ?? answer, of: "jobs")
        return JobPage(jobs: list.map { JobDetail($0) }, next: Self.pageToken(answer["next"], after: after))
    }

    /// The token of the next page: a text or a number; `nil` for none, and for the same one again, which would never
    /// end.
    private static func pageToken(_ value: JSONValue?, after: String?) -> String? {
        let token: String? =
            switch value {
            case .string(let text): text
            case .number(let text): text
            case nil, .null, .bool, .array, .object: nil
            }
        return token.flatMap { $0.isEmpty || $0 == after ? nil : $0 }
    }
}
