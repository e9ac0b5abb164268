package import Cluster
import HTTPTypes
import Hummingbird
import Model
import StateStore

/// What makes jobs beside clients and new objects.
package struct TriggerDesks: Sendable {
    let schedules: ScheduleService
    let backfills: BackfillService
    let events: EventDesk

    package init(schedules: ScheduleService, backfills: BackfillService, events: EventDesk) {
        (self.schedules, self.backfills, self.events) = (schedules, backfills, events)
    }
}

/// `/apus/v1/schedules` and `/apus/v1/services/{service}/backfills`.
struct TriggerRoutes: Sendable {
    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.get("schedules", .cluster(.listSchedules)) { request, context in
            try await schedules(request, context)
        }
        let backfills = routes.group("services/:service/backfills")
        backfills.get("", .service(.readBackfills)) { _, context in
            let found = try await gateway.triggers.backfills.backfills(of: try context.serviceName())
            return Response.json(.object(["backfills": .array(found.map(Self.json))]))
        }
        backfills.post("", .service(.changeBackfills)) { request, context in try await begin(request, context) }
        backfills.get(":id", .service(.readBackfills)) { _, context in
            let found = try await gateway.triggers.backfills.backfill(
                try Self.id(context), of: try context.serviceName())
            return Response.json(Self.json(found))
        }
        backfills.delete(":id", .service(.changeBackfills)) { _, context in
            let found = try await gateway.triggers.backfills.cancel(
                try Self.id(context), of: try context.serviceName())
            return Response.json(Self.json(found))
        }
    }

    // MARK: Schedules

    private func schedules(_ request: Request, _ context: APIContext) async throws -> Response {
        var name: ServiceName?
        if let text = request.query("service"), !text.isEmpty {
            do { name = try ServiceName(text) } catch { throw TextError(.badRequest, "service: \(error)") }
        }
        if let name, let service = gateway.catalog[name] { try context.require(.readSchedules, service) }
        let views = try await gateway.triggers.schedules.schedules(of: name).filter { view in
            gateway.catalog[view.service].map { context.principal.may(.readSchedules, $0.definition) } ?? false
        }
        return .json(.object(["schedules": .array(views.map(Self.json))]))
    }

    private static func json(_ view: ScheduleView) -> JSONValue {
        var object: JSONObject = [
            "service": .string(view.service.text), "name": .string(view.schedule.name),
            "expression": .string(view.schedule.expression), "time_zone": .string(view.schedule.timeZone.text),
        ]
        switch view.schedule.missed {
        case .skip: object["missed"] = .string("skip")
        case .once: object["missed"] = .string("once")
        case .all: object["missed"] = .string("all")
        }
        object["next"] = view.next.map { .string($0.rfc3339()) }
        object["last"] = view.record?.lastDue.map { .string($0.rfc3339()) }
        object["last_job"] = view.record?.lastJob.map { .string($0.text) }
        object["jobs"] = .integer(view.record?.runs ?? 0)
        object["problem"] = view.problem.map { .string($0) }
        return .object(object)
    }

    // MARK: Backfills

    private static func id(_ context: APIContext) throws -> Int64 {
        guard let id = Int64(try context.parameters.require("id")) else { throw TextError(.notFound, "") }
        return id
    }

    private func begin(_ request: Request, _ context: APIContext) async throws -> Response {
        let service = try context.serviceName()
        let body = try await request.json()
        func text(_ key: String) throws -> String {
            guard let value = body[key], !value.isNull else { return "" }
            guard let text = value.stringValue, text.utf8.count <= 2048 else {
                throw TextError(.badRequest, "\(key): must be a text of at most 2048 bytes")
            }
            return text
        }
        func flag(_ key: String) throws -> Bool {
            guard let value = body[key], !value.isNull else { return false }
            guard let flag = value.boolValue else { throw TextError(.badRequest, "\(key): must be true or false") }
            return flag
        }
        let bucket: BucketName
        do { bucket = try BucketName(try text("bucket")) } catch let error as NameError {
            throw TextError(.badRequest, "bucket: \(error)")
        }
        guard try await gateway.buckets.allows(context.principal, .list, bucket, from: context.remoteAddress) else {
            throw Refusal.of(.list, context.principal)
        }
        let prefix = try text("prefix")
        var since: Instant?
        let sinceText = try text("since")
        if !sinceText.isEmpty {
            guard let instant = Instant(rfc3339: sinceText) else {
                throw TextError(.badRequest, "since: \"\(sinceText)\" is not a time as 2026-01-31T12:00:00Z")
            }
            since = instant
        }
        let isDryRun = try flag("dry_run")
        let given = try text("token")
        let own = "\(isDryRun ? "dry run of " : "")\(bucket)/\(prefix)\(sinceText.isEmpty ? "" : " since ")\(sinceText)"
        let begun = try await gateway.triggers.backfills.begin(
            NewBackfill(
                service: service, token: given.isEmpty ? own : given, bucket: bucket, prefix: prefix, since: since,
                isDryRun: isDryRun,
                principal: context.principal.name),
            again: isDryRun ? true : try flag("again"))
        return .json(Self.json(begun), status: .accepted)
    }

    private static func json(_ backfill: BackfillRecord) -> JSONValue {
        var object: JSONObject = [
            "id": .integer(backfill.id), "service": .string(backfill.service.text), "token": .string(backfill.token),
            "bucket": .string(backfill.bucket.text), "prefix": .string(backfill.prefix),
        ]
        object["since"] = backfill.since.map { .string($0.rfc3339()) }
        object["dry_run"] = .bool(backfill.isDryRun)
        object["state"] = .string(backfill.state.rawValue)
        object["seen"] = .integer(backfill.seen)
        object["jobs"] = .integer(backfill.jobs)
        object["after"] = backfill.afterKey.map { .string($0) }
        object["message"] = backfill.message.map { .string($0) }
        object["created"] = .string(backfill.created.rfc3339(fractionDigits: 3))
        object["updated"] = .string(backfill.updated.rfc3339(fractionDigits: 3))
        return .object(object)
    }
}
