import Cluster
import Hummingbird
import Model
import NIOCore
import StateStore

/// `/apus/v1/jobs/…`: one job with its attempts and their logs; cancelling, trying again, purging.
struct JobRoutes: Sendable {
    /// How many jobs one request changes at most.
    private static let batch = 1000

    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.get(":job", .job(.read)) { _, context in try await show(context) }
        routes.get(":job/log", .job(.readLog)) { request, context in try await log(request, context) }
        routes.post(":job/cancel", .job(.cancel)) { _, context in try await cancel(context) }
        routes.post(":job/retry", .job(.retry)) { _, context in try await retry(context) }
        routes.delete(":job", .job(.remove)) { _, context in try await purge(context) }
        routes.post("retry", .cluster(.changeJobs)) { request, context in try await retryAll(request, context) }
        routes.delete("", .cluster(.changeJobs)) { request, context in try await purgeAll(request, context) }
    }

    private func show(_ context: APIContext) async throws -> Response {
        let report = try await gateway.jobs.report(try context.jobName())
        guard var object = ApusRoutes.json(report.view).objectValue else { return .json(.null) }
        object["principal"] = .string(report.view.record.principal)
        object["history"] = .array(report.attempts.map(\.json))
        if let event = report.event {
            if let json = try? JSONValue.parse(bytes: event) {
                object["event"] = json
            } else {
                // What is no JSON travels as it may: in base 64.
                object["event_base64"] = .string(Base64.encode(event))
            }
        }
        return .json(.object(object))
    }

    private func log(_ request: Request, _ context: APIContext) async throws -> Response {
        let name = try context.jobName()
        var attempt: Int?
        if let text = request.query("attempt"), !text.isEmpty {
            guard let number = Int(text), number > 0 else {
                throw TextError(.badRequest, "attempt: a number from 1 on")
            }
            attempt = number
        }
        let service = try await gateway.jobs.job(name).record.service
        let records = try await gateway.jobs.log(name, of: service, attempt: attempt, follow: request.flag("follow"))
        return LogRoutes.response(records, timestamps: request.flag("timestamps"))
    }

    private func cancel(_ context: APIContext) async throws -> Response {
        try await gateway.jobs.cancel(try context.jobName(), by: context.principal.name)
        return .empty(.noContent)
    }

    private func retry(_ context: APIContext) async throws -> Response {
        try await gateway.jobs.sendAgain(try context.jobName())
        return .empty(.noContent)
    }

    private func purge(_ context: APIContext) async throws -> Response {
        try await gateway.jobs.purge(try context.jobName())
        return .empty(.noContent)
    }

    // MARK: Many

    /// Answers how many it were; more may be left, until it answers 0.
    private func retryAll(_ request: Request, _ context: APIContext) async throws -> Response {
        var filter = try filter(request)
        filter.audience = gateway.jobAudience(context.principal)
        filter.limit = min(filter.limit, Self.batch)
        return .json(.object(["jobs": .integer(try await gateway.jobs.sendAgain(filter))]))
    }

    private func purgeAll(_ request: Request, _ context: APIContext) async throws -> Response {
        var filter = try filter(request)
        filter.audience = gateway.jobAudience(context.principal)
        return .json(.object(["jobs": .integer(try await gateway.jobs.purge(filter))]))
    }

    /// - Throws: `TextError` 400 without a state: nobody changes all jobs by leaving out a word.
    private func filter(_ request: Request) throws -> JobFilter {
        let filter = try ApusRoutes.filter(request)
        guard !filter.states.isEmpty, filter.states.allSatisfy(\.isUnsuccessful) else {
            let known = JobState.allCases.filter(\.isUnsuccessful).map(\.rawValue).joined(separator: ", ")
            throw TextError(.badRequest, "state: name one or more of \(known)")
        }
        return filter
    }
}
