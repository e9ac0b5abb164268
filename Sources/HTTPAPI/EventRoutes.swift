import Cluster
import Hummingbird
import Model
import StateStore

/// `/apus/v1/events`: the last events of the object store, and what they came to.
struct EventRoutes: Sendable {
    private static let maximumLimit = 1000

    let gateway: Gateway

    func add(to group: RouterGroup<APIContext>) {
        group.get("events") { request, _ in try await events(request) }
    }

    private func events(_ request: Request) async throws -> Response {
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
        let events = try await gateway.triggers.events.events(filter)
        var answer: JSONObject = ["events": .array(events.map(Self.json))]
        if events.count == filter.limit, let last = events.last { answer["next"] = .integer(last.number) }
        return Response.json(.object(answer))
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
        case .folder: "a key that ends in a slash stands for a folder"
        case .otherKind:
            "the inputs there do not ask for \(event.cause.inputKind.rawValue) events; see events in the input"
        }
    }
}
