package import Logging
package import Model
package import ObjectEngine
package import S3Wire
package import StateStore
import Synchronization

/// Who is to be told of an event, by the notification configurations of buckets.
///
/// A name in a configuration is that of a declared webhook, or else that of a service, or else that of a webhook that
/// was declared once: what is for the latter waits.
package final class Notifications: Sendable {
    /// Who is told of one event.
    struct Targets: Sendable, Hashable {
        var services: [ServiceName] = []
        var webhooks: [String] = []
    }

    private let store: ObjectStore
    private let state: ClusterState
    private let catalog: ServiceCatalog
    private let signals: [String: Signal]
    /// Webhooks that are not declared now but were once.
    private let undeclared: Set<String>
    private let logger: Logger
    private let configurations = DerivedSettings<NotificationConfiguration?>()
    /// Names that nobody has and that were reported.
    private let reported = Mutex<Set<String>>([])

    /// Forgets webhooks that are neither declared nor named by any bucket.
    ///
    /// - Throws: `StateStoreError`, `ObjectStoreError`.
    package static func open(
        store: ObjectStore,
        state: ClusterState,
        catalog: ServiceCatalog,
        webhooks: [Webhook],
        logger: Logger
    ) async throws -> Notifications {
        let declared = webhooks.map(\.name)
        var undeclared = try await state.declareWebhooks(declared).subtracting(declared)
        // Where a configuration cannot be read, nobody knows whom it names, and nothing is given up.
        if !undeclared.isEmpty, let named = try await namesInUse(store, state) {
            for name in undeclared.subtracting(named) {
                let count = try await state.forgetWebhook(name)
                logger.warning(
                    "a webhook is given up: it is not declared, and no bucket names it",
                    metadata: ["webhook": "\(name)", "dropped": "\(count)"]
                )
            }
            undeclared.formIntersection(named)
        }
        for name in undeclared {
            logger.warning(
                "events for a webhook that is not declared wait until it is declared again",
                metadata: ["webhook": "\(name)"]
            )
        }
        return Notifications(
            store: store, state: state, catalog: catalog, declared: declared, undeclared: undeclared, logger: logger
        )
    }

    /// The targets that buckets and failure outputs name; `nil` where a configuration cannot be read.
    private static func namesInUse(_ store: ObjectStore, _ state: ClusterState) async throws -> Set<String>? {
        var names: Set<String> = []
        for service in try await state.services() {
            // One that cannot be read starts no job, and tells of none.
            let definition = try? ServiceDefinition(stored: service.definition)
            if case .webhook(let name) = definition?.failureOutput { names.insert(name) }
        }
        for (_, document) in try await store.documents(.notification) {
            let read = try? NotificationConfiguration(parsing: Array(document.utf8), newID: { "" })
            guard let read else { return nil }
            names.formUnion(read.rules.compactMap(\.targetName))
        }
        return names
    }

    private init(
        store: ObjectStore,
        state: ClusterState,
        catalog: ServiceCatalog,
        declared: [String],
        undeclared: Set<String>,
        logger: Logger
    ) {
        self.store = store
        self.state = state
        self.catalog = catalog
        self.undeclared = undeclared
        self.logger = logger
        signals = Dictionary(declared.map { ($0, Signal()) }) { first, _ in first }
    }

    /// Tells a webhook's line that there is something for it.
    func ring(_ webhook: String) { signals[webhook]?.send() }

    /// Whether the operator has declared that webhook.
    func isDeclared(_ webhook: String) -> Bool { signals[webhook] != nil }

    func signal(of webhook: String) -> Signal? { signals[webhook] }

    /// Who is to be told of each of these events, which are in order.
    ///
    /// Costs no look-up where the facts of buckets are in memory, as they are right after a write; but for one, of the
    /// buckets that were deleted meanwhile, whose last events go by what they had.
    func targets(of events: [ObjectEvent]) async throws -> [Targets] {
        guard let first = events.first else { return [] }
        var current: [NotificationConfiguration?] = []
        for event in events {
            let facts = try await store.facts(of: event.bucket)
            current.append(facts.flatMap { facts in configuration(facts, of: event.bucket) })
        }
        // Behind the facts: who was deleted before these were asked for is among those who are gone.
        let departures = try await store.departures(since: first.sequence)
        return zip(events, current).map { event, current in
            guard let former = departures.first(where: { $0.bucket == event.bucket && $0.lastEvent >= event.sequence })
            else { return targets(of: event, by: current) }
            return targets(of: event, by: read(former.notification, of: event.bucket))
        }
    }

    private func configuration(_ facts: BucketFacts, of bucket: BucketName) -> NotificationConfiguration? {
        guard let document = facts.settings[.notification] else { return nil }
        return configurations.value(of: bucket, facts) { _ in read(document, of: bucket) }
    }

    private func targets(of event: ObjectEvent, by configuration: NotificationConfiguration?) -> Targets {
        var targets = Targets()
        for rule in configuration?.rules(for: event.cause.rawValue, of: event.key.text) ?? [] {
            guard let name = rule.targetName else { continue }
            if signals[name] != nil {
                if !targets.webhooks.contains(name) { targets.webhooks.append(name) }
            } else if let service = try? ServiceName(name), catalog[service] != nil {
                // A key that ends in a slash stands for a folder, and there is no file to process.
                let isFolder = event.key.text.utf8.last == UInt8(ascii: "/")
                if !isFolder, !targets.services.contains(service) { targets.services.append(service) }
            } else if undeclared.contains(name) {
                if !targets.webhooks.contains(name) { targets.webhooks.append(name) }
            } else {
                report(name, bucket: event.bucket)
            }
        }
        return targets
    }

    /// The services that a configuration names and those whose inputs the event triggers; by name.
    func services(for targets: Targets, of event: ObjectEvent) -> [ServiceName] {
        let byInput = catalog.services(triggeredBy: event)
        return targets.services.isEmpty ? byInput : Set(byInput).union(targets.services).sorted()
    }

    private func read(_ document: String?, of bucket: BucketName) -> NotificationConfiguration? {
        guard let document else { return nil }
        do throws(S3Error) {
            return try NotificationConfiguration(parsing: Array(document.utf8), newID: { "" })
        } catch {
            logger.error(
                "a notification configuration cannot be read; put it again",
                metadata: ["bucket": "\(bucket)", "error": "\(error.message)"]
            )
            return nil
        }
    }

    private static func configuration(_ facts: BucketFacts) throws(S3Error) -> NotificationConfiguration? {
        guard let document = facts.settings[.notification] else { return nil }
        return try NotificationConfiguration(parsing: Array(document.utf8), newID: { "" })
    }

    /// Says once that events go nowhere.
    private func report(_ name: String, bucket: BucketName) {
        let isNew = reported.withLock { $0.count < 1000 && $0.insert(name).inserted }
        guard isNew else { return }
        logger.warning(
            "a bucket's events are for a target that is not there; they are not kept",
            metadata: ["bucket": "\(bucket)", "target": "\(name)"]
        )
    }

    // MARK: What is refused

    /// Prepares for a bucket's new rules: events that came to nothing before them are not told again after a crash.
    ///
    /// - Throws: `StateStoreError`.
    package func rulesWillChange() async throws { try await state.recordPassed() }

    /// Why somebody cannot have a rule, in words; `nil` where they can.
    package func refusal(of rule: NotificationRule, in bucket: BucketName, by principal: Principal) -> String? {
        guard let name = rule.targetName else {
            return "The ARN is not well formed; write arn:minio:sqs::NAME:webhook with the name of a service or of a "
                + "webhook."
        }
        if signals[name] != nil { return nil }
        // What they may not see is not there for them.
        guard let service = try? ServiceName(name), let definition = catalog[service]?.definition,
            principal.may(.read, definition)
        else {
            return "There is no service and no webhook \"\(name.prefix(80))\" in this cluster."
        }
        return Self.loop(of: definition, rule, in: bucket)
    }

    /// Why a service cannot have its outputs because of the notifications that it gets; `nil` where it can.
    static func refusal(of definition: ServiceDefinition, in store: ObjectStore) async throws -> String? {
        for output in definition.output where output.provider == .clusterStore {
            guard let bucket = output.bucketName, let facts = try await store.facts(of: bucket),
                let rules = try? configuration(facts)?.rules  // One that cannot be read triggers nothing.
            else { continue }
            for rule in rules where rule.targetName == definition.name.text {
                if let reason = loop(of: definition, rule, in: bucket) { return reason }
            }
        }
        return nil
    }

    /// A service that is told of its own results is triggered for ever.
    private static func loop(
        of definition: ServiceDefinition,
        _ rule: NotificationRule,
        in bucket: BucketName
    ) -> String? {
        let isForNewObjects = rule.events.contains { $0.rawValue.hasPrefix(ObjectEvent.Cause.creationGroup) }
        let output = definition.output.first { output in
            output.provider == .clusterStore && output.bucket == bucket.text
                && rule.mayMatch(keysWithPrefix: output.keyPrefix) && output.mayEnd(rule.suffix ?? "")
        }
        guard isForNewObjects, let output else { return nil }
        return "The service \"\(definition.name)\" puts its results into \"\(output.path)\", so each would trigger it "
            + "again by the notification \"\(rule.id)\"; use another prefix, or a suffix that no result has."
    }
}

extension StorageIO {
    /// Whether the name of a result can end so.
    fileprivate func mayEnd(_ suffix: String) -> Bool {
        let wanted = Array(suffix.utf8.reversed())
        return suffixes.isEmpty
            || suffixes.contains { own in
                let own = Array(own.utf8.reversed())
                return own.starts(with: wanted) || wanted.starts(with: own)
            }
    }
}
