import Cluster
import Hummingbird
import Model
import NIOCore
import StateStore

/// `/system/logs` (oscar-api.md section 6).
struct LogRoutes: Sendable {
    /// Jobs on a page, as OSCAR's `JOB_LISTING_LIMIT`.
    private static let pageSize = 70

    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.get(":service", .service(.listJobs)) { request, context in try await list(request, context) }
        routes.delete(":service", .service(.removeJobs)) { request, context in try await removeAll(request, context) }
        routes.get(":service/:job", .service(.listJobs)) { request, context in try await log(request, context) }
        routes.delete(":service/:job", .service(.removeJobs)) { _, context in try await remove(context) }
    }

    private func service(_ context: APIContext) throws -> ServiceName {
        let name = try context.serviceName()
        guard gateway.catalog[name] != nil else { throw TextError(.notFound, "") }
        return name
    }

    private func list(_ request: Request, _ context: APIContext) async throws -> Response {
        var filter = JobFilter(service: try service(context), limit: Self.pageSize)
        filter.audience = gateway.jobAudience(context.principal)
        if let page = request.query("page"), !page.isEmpty {
            guard let before = Int64(page) else {
                throw TextError(.badRequest, "page: not a token of an earlier answer")
            }
            filter.before = before
        }
        let (jobs, remaining) = try await gateway.jobs.jobs(filter)
        var answer: JSONObject = [
            "jobs": .object(JSONObject(jobs.map { ($0.record.name.text, Self.json($0)) }))
        ]
        if remaining > 0, let last = jobs.last {
            answer["next_page"] = .string(String(last.record.number))
            answer["remaining_jobs"] = .integer(remaining)
        }
        return .json(.object(answer))
    }

    /// OSCAR's keys first, then what OSCAR does not tell.
    private static func json(_ job: JobView) -> JSONValue {
        let record = job.record
        var object: JSONObject = [
            "status": .string(record.state.oscarStatus), "creation_time": .string(record.created.rfc3339()),
        ]
        object["start_time"] = record.started.map { .string($0.rfc3339()) }
        object["finish_time"] = record.finished.map { .string($0.rfc3339()) }
        object["exit_code"] = record.exitCode.map { .integer($0) }
        object["reason"] = job.reason.map { .string($0) }
        return .object(object)
    }

    private func removeAll(_ request: Request, _ context: APIContext) async throws -> Response {
        try await gateway.jobs.removeAll(
            of: try service(context), includingUnsuccessful: request.flag("all"),
            audience: gateway.jobAudience(context.principal))
        return Response.empty(.noContent)
    }

    private func remove(_ context: APIContext) async throws -> Response {
        do {
            let (name, service) = (try context.jobName(), try service(context))
            try context.require(.remove, try await gateway.jobs.job(name, of: service).record, in: gateway.catalog)
            try await gateway.jobs.remove(name, of: service)
        } catch let error as ClusterError where error.code == .notFound {
            throw TextError(.notFound, "")
        }
        return Response.empty(.noContent)
    }

    private func log(_ request: Request, _ context: APIContext) async throws -> Response {
        let records: LogRecords
        do {
            let (name, service) = (try context.jobName(), try service(context))
            try context.require(.readLog, try await gateway.jobs.job(name, of: service).record, in: gateway.catalog)
            records = try await gateway.jobs.log(name, of: service, follow: request.flag("follow"))
        } catch let error as ClusterError where error.code == .notFound {
            throw TextError(.notFound, "")
        }
        return Self.response(records, timestamps: request.flag("timestamps"))
    }

    /// A log as it comes.
    static func response(_ records: LogRecords, timestamps: Bool) -> Response {
        let body = ResponseBody { writer in
            var renderer = LogRenderer(timestamps: timestamps)
            for try await record in records { try await writer.write(ByteBuffer(bytes: renderer.render(record))) }
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "text/plain; charset=utf-8"], body: body)
    }
}
