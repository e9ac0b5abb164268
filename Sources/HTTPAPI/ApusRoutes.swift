import Cluster
import HTTPTypes
import Hummingbird
import Model
import NIOCore
import Sandboxes
import StateStore
import SystemPackage

/// `/apus/v1`: what OSCAR's API does not have.
struct ApusRoutes: Sendable {
    private static let defaultLimit = 100
    private static let maximumLimit = 1000

    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.get("jobs", .cluster(.listJobs)) { request, context in try await jobs(request, context) }
        TriggerRoutes(gateway: gateway).add(to: routes)
        EventRoutes(gateway: gateway).add(to: routes)
        JobRoutes(gateway: gateway).add(to: routes.group("jobs"))
        PauseRoutes(gateway: gateway).add(to: routes.group("services"))
        OwnerRoutes(gateway: gateway).add(to: routes.group("services"))
        ImageRoutes(gateway: gateway).add(to: routes.group("images"))
        DeliveryRoutes(gateway: gateway).add(to: routes.group("deliveries"))
        UserRoutes(gateway: gateway).add(to: routes.group("users"))
        AuditRoutes(gateway: gateway).add(to: routes.group("audit"))
    }

    /// Which jobs a request speaks of.
    static func filter(_ request: Request) throws -> JobFilter {
        var filter = JobFilter(limit: defaultLimit)
        if let text = request.query("service"), !text.isEmpty {
            do { filter.service = try ServiceName(text) } catch { throw TextError(.badRequest, "service: \(error)") }
        }
        for text in (request.query("state") ?? "").split(separator: ",") {
            guard let state = JobState(rawValue: String(text)) else {
                let known = JobState.allCases.map(\.rawValue).joined(separator: ", ")
                throw TextError(.badRequest, "state: \"\(text)\" is none of \(known)")
            }
            filter.states.insert(state)
        }
        if let text = request.query("since"), !text.isEmpty {
            guard let since = Instant(rfc3339: text) else {
                throw TextError(.badRequest, "since: not a time such as 2026-01-31T12:00:00Z")
            }
            filter.endedSince = since
        }
        if let text = request.query("limit") {
            guard let limit = Int(text), (1...maximumLimit).contains(limit) else {
                throw TextError(.badRequest, "limit: between 1 and \(maximumLimit)")
            }
            filter.limit = limit
        }
        return filter
    }

    private func jobs(_ request: Request, _ context: APIContext) async throws -> Response {
        var filter = try Self.filter(request)
        filter.audience = gateway.jobAudience(context.principal)
        if let text = request.query("after"), !text.isEmpty {
            guard let before = Int64(text) else {
                throw TextError(.badRequest, "after: not the next of an earlier answer")
            }
            filter.before = before
        }
        let (jobs, remaining) = try await gateway.jobs.jobs(filter)
        var answer: JSONObject = ["jobs": .array(jobs.map(Self.json))]
        answer["remaining"] = .integer(remaining)
        if remaining > 0, let last = jobs.last { answer["next"] = .string(String(last.record.number)) }
        return .json(.object(answer))
    }

    static func json(_ job: JobView) -> JSONValue {
        let record = job.record
        var object: JSONObject = [
            "name": .string(record.name.text), "service": .string(record.service.text),
            "state": .string(record.state.rawValue),
        ]
        object["reason"] = job.reason.map { .string($0) }
        object["attempts"] = .integer(record.attempts)
        object["exit_code"] = record.exitCode.map { .integer($0) }
        object["message"] = record.message.map { .string($0) }
        object["next_attempt"] = record.notBefore.map { .string($0.rfc3339(fractionDigits: 3)) }
        object["created"] = .string(record.created.rfc3339(fractionDigits: 9))
        object["started"] = record.started.map { .string($0.rfc3339(fractionDigits: 9)) }
        object["finished"] = record.finished.map { .string($0.rfc3339(fractionDigits: 9)) }
        object["input"] = record.input.map {
            .object(["bucket": .string($0.bucket.text), "key": .string($0.key.text)])
        }
        var durations = JSONObject()
        durations["waiting"] = record.started.map { .double(($0 - record.created).inSeconds) }
        durations["stage_in"] = record.stageIn.map { .double($0.inSeconds) }
        durations["run"] = record.run.map { .double($0.inSeconds) }
        durations["stage_out"] = record.stageOut.map { .double($0.inSeconds) }
        object["durations"] = .object(durations)
        if !job.deliveries.isEmpty { object["deliveries"] = .array(job.deliveries.map(json)) }
        return .object(object)
    }

    private static func json(_ delivery: DeliveryRecord) -> JSONValue {
        var object: JSONObject = [
            "provider": .string(delivery.provider), "path": .string(delivery.path), "name": .string(delivery.name),
            "size_bytes": .integer(delivery.size.bytes), "attempts": .integer(delivery.attempts),
            "next_attempt": .string(delivery.nextAttempt.rfc3339(fractionDigits: 3)),
        ]
        object["error"] = delivery.lastError.map { .string($0) }
        return .object(object)
    }
}

extension Duration {
    /// With fraction.
    var inSeconds: Double { Double(nanoseconds) / 1e9 }
}
