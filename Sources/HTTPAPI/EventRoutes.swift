import Cluster
import Hummingbird
import Model
import StateStore

/// `/apus/v1/events`: the last events of the object store, and what they came to.
struct EventRoutes: Sendable {
    private static let maximumLimit = 1000

    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.get("events", .cluster(.listEvents)) { request, context in try await events(request, context) }
    }

    private func events(_ request: Request, _ context: APIContext) async throws -> Response {
        var filter = EventFilter()
        if let text = request.query("bucket"), !text.isEmpty {
            do { filter.bucket = try BucketName(text) } catch { throw TextError(.badRequest, "bucket: \(error)") }
        }
        if let text = request.query("limit") {
            guard let limit = Int(text), (1...Self.maximumLimit).contains(limit) else {
                throw TextError(.badRequest, "limit: between 1 and \(Self.maximumLimit)")
            }
            filter.limit = limit
        }
        filter.after = try number("after", request)
        filter.before = try number("before", request)
        let events = try await visible(filter, context)
        var answer: JSONObject = ["events": .array(events.map(Self.json))]
        if events.count == filter.limit, let last = events.last { answer["next"] = .integer(last.number) }
        return Response.json(.object(answer))
    }

    /// The events of buckets that whoever asks may list, with those jobs that they may see.
    private func visible(_ filter: EventFilter, _ context: APIContext) async throws -> [EventRecord] {
        if case .administrator = context.principal { return try await gateway.triggers.events.events(filter) }
        var (filter, found) = (filter, [EventRecord]())
        var isVisible: [BucketName: Bool] = [:]
        while true {
            let page = try await gateway.triggers.events.events(filter)
            for record in page where found.count < filter.limit {
                let bucket = record.event.bucket
                if isVisible[bucket] == nil { isVisible[bucket] = try await mayList(bucket, context) }
                if isVisible[bucket] == true { found.append(shown(record, to: context.principal)) }
            }
            guard let last = page.last, page.count == filter.limit, found.count < filter.limit else { return found }
            if filter.after != nil { filter.after = last.number } else { filter.before = last.number }
        }
    }

    private func mayList(_ bucket: BucketName, _ context: APIContext) async throws -> Bool {
        do {
            return try await gateway.buckets.allows(context.principal, .list, bucket, from: context.remoteAddress)
        } catch let error as ClusterError where error.code == .notFound {
            // Whose it was is not known any more.
            return false
        }
    }

    private func shown(_ record: EventRecord, to principal: Principal) -> EventRecord {
        var record = record
        let causer = record.event.principal
        record.jobs = record.jobs.filter { job in
            gateway.catalog[job.service].map { principal.may(.read, $0.definition.protected, causedBy: causer) }
                ?? false
        }
        record.event.services = record.event.services.filter { name in
            gateway.catalog[name].map { principal.may(.read, $0.definition) } ?? false
        }
        record.event.webhooks = []
        return record
    }

    private func number(_ name: String, _ request: Request) throws -> Int64? {
        guard let text = request.query(name), !text.isEmpty else { return nil }
        guard let number = Int64(text), number >= 0 else {
            throw TextError(.badRequest, "\(name): not the number of an event")
        }
        return number
    }

    private static func json(_ record: EventRecord) -> JSONValue {
        let event = record.event
        var object: JSONObject = [
            "number": .integer(record.number), "time": .string(event.time.rfc3339(fractionDigits: 3)),
            "event": .string(event.cause.rawValue), "bucket": .string(event.bucket.text),
            "key": .string(event.key.text), "size": .integer(event.size.bytes),
            "principal": .string(event.principal), "services": .strings(event.services.map(\.text)),
        ]
        object["jobs"] = .array(
            record.jobs.map { job in
                var object: JSONObject = [
                    "name": .string(job.name.text), "service": .string(job.service.text),
                    "state": .string(job.state.rawValue),
                ]
                object["exit_code"] = job.exitCode.map { .integer($0) }
                return .object(object)
            })
        object["webhooks"] = .strings(event.webhooks)
        object["reason"] = event.reason.map { .string(words($0, event)) }
        return .object(object)
    }

    /// Why nobody was told.
    private static func words(_ reason: RoutedEvent.Reason, _ event: RoutedEvent) -> String {
        switch reason {
        case .noInput: "no service has an input in the bucket \(event.bucket)"
        case .otherFolder: "the inputs in the bucket \(event.bucket) are other folders"
        case .notReadable: "the owners of the services with an input there may not read the bucket \(event.bucket)"
        case .folder: "a key that ends in a slash stands for a folder"
        case .otherKind:
            "the inputs there do not ask for \(event.cause.inputKind.rawValue) events; see events in the input"
        }
    }
}
