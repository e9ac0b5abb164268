package import Logging
package import Model
package import StateStore
import Synchronization
import SystemPackage

/// What the volumes of one owner take.
package struct VolumeUsage: Sendable, Hashable {
    package var count = 0
    /// The sum of their sizes, as they were asked for.
    package var bytes = ByteCount.zero

    package init() {}
}

/// A volume as clients see it.
package struct VolumeView: Sendable {
    package enum Phase: String, Sendable { case ready, inUse = "in_use", error, deleting }

    package let record: VolumeRecord
    package let phase: Phase
    package let message: String?
    /// By name of the service.
    package let attachments: [(service: ServiceName, mountPath: String)]
    /// What was found in it last; `nil` where nobody has looked yet.
    package let used: ByteCount?
}

/// Directories that outlive invocations, each of one owner: makes, shows, measures and removes them.
///
/// A volume is the folder `volumes/ID/data` of the data directory; the folder around it is closed to everybody else, so that
/// the inner one can be open to whatever user an image has.
package final class VolumeDesk: Sendable {
    private struct Key: Hashable {
        let owner: String
        let name: VolumeName
    }

    private struct Entry {
        var record: VolumeRecord
        var used: ByteCount?
        /// Its row is being written, or removed.
        var isChanging = false
        var isDeleting = false
    }

    private let folder: FilePath
    private let state: ClusterState
    private let catalog: ServiceCatalog
    private let quotas: QuotaBook
    private let now: @Sendable () -> Instant
    private let logger: Logger
    private let entries = Mutex<[Key: Entry]>([:])

    package init(
        data: DataDirectory,
        state: ClusterState,
        catalog: ServiceCatalog,
        quotas: QuotaBook,
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        folder = data.volumes
        self.state = state
        self.catalog = catalog
        self.quotas = quotas
        self.now = now
        self.logger = logger
    }

    /// Brings volumes back, and removes what deletions left that were broken off.
    ///
    /// A volume whose folder is missing, as after the restoration of a backup, which holds none, is empty.
    package func load() async throws {
        let records = try await state.volumes()
        let (root, logger) = (folder, logger)
        try await Folder.offload {
            let known = Set(records.map(\.id))
            for entry in try Folder.entries(root) where !known.contains(entry.name) { try Folder.remove(entry.path) }
            for record in records where try !Folder.isFolder(Self.data(record.id, in: root)) {
                logger.warning(
                    "the files of a volume are not there; it is empty now",
                    metadata: ["volume": "\(record.name)", "owner": "\(record.owner)"])
                try Self.makeFolder(record.id, in: root)
            }
        }
        entries.withLock { entries in
            for record in records { entries[Key(owner: record.owner, name: record.name)] = Entry(record: record) }
        }
    }

    // MARK: Questions

    package func usage(of owner: String) -> VolumeUsage {
        entries.withLock { Self.usage(of: owner, in: $0) }
    }

    private static func usage(of owner: String, in entries: [Key: Entry]) -> VolumeUsage {
        entries.reduce(into: VolumeUsage()) { usage, entry in
            guard entry.key.owner == owner else { return }
            usage.count += 1
            usage.bytes = usage.bytes + entry.value.record.size
        }
    }

    /// The volumes of an owner, by name.
    package func all(of owner: String) -> [VolumeView] {
        entries.withLock { $0.filter { $0.key.owner == owner } }.values.map(view)
            .sorted { $0.record.name < $1.record.name }
    }

    /// All volumes, by owner and name.
    package func all() -> [VolumeView] {
        entries.withLock { Array($0.values) }.map(view)
            .sorted { ($0.record.owner, $0.record.name) < ($1.record.owner, $1.record.name) }
    }

    /// - Throws: `ClusterError` with `notFound`.
    package func volume(_ name: VolumeName, of owner: String) throws(ClusterError) -> VolumeView {
        guard let entry = entries.withLock({ $0[Key(owner: owner, name: name)] }) else { throw Self.missing(name) }
        return view(entry)
    }

    private func view(_ entry: Entry) -> VolumeView {
        let record = entry.record
        let attachments = attachments(of: record)
        let excess = Self.excess(record, entry.used)
        let phase: VolumeView.Phase =
            if entry.isDeleting { .deleting } else if excess != nil { .error } else if attachments.isEmpty {
                .ready
            } else { .inUse }
        return VolumeView(
            record: record, phase: phase, message: excess, attachments: attachments, used: entry.used)
    }

    private func attachments(of record: VolumeRecord) -> [(service: ServiceName, mountPath: String)] {
        catalog.all.compactMap { service in
            guard service.definition.owner == record.owner, let volume = service.definition.volume,
                volume.name == record.name.text
            else { return nil }
            return (service.name, volume.mountPath)
        }
    }

    private static func excess(_ record: VolumeRecord, _ used: ByteCount?) -> String? {
        guard let used, used > record.size else { return nil }
        return "the volume \"\(record.name)\" holds \(used), more than its size of \(record.size): make it larger, or "
            + "remove it"
    }

    /// The volume that a service uses; `nil` where it uses none, or that is gone.
    private func entry(of service: RegisteredService) -> Entry? {
        guard let volume = service.definition.volume, let name = try? VolumeName(volume.name) else { return nil }
        return entries.withLock { $0[Key(owner: service.definition.owner, name: name)] }
    }

    /// Where the files of a service's volume are.
    ///
    /// - Throws: `JobFailure` where it is gone, or holds more than it may.
    func place(for service: RegisteredService) throws(JobFailure) -> FilePath? {
        guard let volume = service.definition.volume else { return nil }
        guard let entry = entry(of: service), !entry.isDeleting else {
            throw JobFailure(.input, message: "the service's volume \"\(volume.name)\" does not exist any more")
        }
        if let excess = Self.excess(entry.record, entry.used) { throw JobFailure(.input, message: excess) }
        return Self.data(entry.record.id, in: folder)
    }

    /// What the service's JSON says of its volume (oscar-api.md 4.1).
    package func status(of service: RegisteredService) -> JSONValue {
        guard let volume = service.definition.volume else { return .object(["enabled": .bool(false)]) }
        var status: JSONObject = ["enabled": .bool(true), "name": .string(volume.name)]
        if let entry = entry(of: service) {
            let view = view(entry)
            status["phase"] = .string(view.phase.rawValue)
            if let message = view.message { status["error"] = .string(message) }
        } else {
            status["phase"] = .string(VolumeView.Phase.error.rawValue)
            status["error"] = .string("the volume does not exist any more")
        }
        return .object(status)
    }

    // MARK: Changes

    /// Makes a volume.
    ///
    /// - Parameter service: the service that makes it, with itself; `nil` where a client does.
    /// - Throws: `ClusterError` with `invalid` where the owner's quota is in the way, `conflict` where there is one of that
    ///   name, `failed`.
    @discardableResult
    package func create(
        _ name: VolumeName,
        size: ByteCount,
        owner: String,
        service: ServiceName? = nil,
        policy: VolumePolicy = .retain
    ) async throws -> VolumeView {
        let record = VolumeRecord(
            id: UniqueID.uuid(), owner: owner, name: name, size: size, service: service, policy: policy,
            created: now())
        let key = Key(owner: owner, name: name)
        // Reserved before anything is done, so that two who come at once do not both find room.
        try entries.withLock { entries throws(ClusterError) in
            guard entries[key] == nil else {
                throw ClusterError(code: .conflict, message: "volume already exists in caller namespace")
            }
            try check(size, owner: owner, adding: 1, to: Self.usage(of: owner, in: entries))
            entries[key] = Entry(record: record, used: .zero, isChanging: true)
        }
        do {
            let root = folder
            try await Folder.offload { try Self.makeFolder(record.id, in: root) }
            try await state.insert(record)
        } catch {
            entries.withLock { $0[key] = nil }
            await removeFolder(of: record)
            throw ClusterError(code: .failed, message: "the volume \"\(name)\" could not be made", cause: error)
        }
        entries.withLock { $0[key]?.isChanging = false }
        return try volume(name, of: owner)
    }

    /// Changes how much may be in a volume.
    ///
    /// - Throws: `ClusterError` with `notFound`, `invalid` where the owner's quota is in the way, `failed`.
    package func resize(_ name: VolumeName, to size: ByteCount, owner: String) async throws -> VolumeView {
        let key = Key(owner: owner, name: name)
        let old = try entries.withLock { entries throws(ClusterError) -> VolumeRecord in
            guard let entry = entries[key], !entry.isChanging else { throw Self.missing(name) }
            var usage = Self.usage(of: owner, in: entries)
            usage.bytes = usage.bytes - entry.record.size
            try check(size, owner: owner, adding: 0, to: usage)
            entries[key]?.record.size = size
            return entry.record
        }
        do { try await state.resize(volume: old.id, to: size) } catch {
            entries.withLock { $0[key]?.record.size = old.size }
            throw ClusterError(code: .failed, message: "the volume \"\(name)\" could not be changed", cause: error)
        }
        return try volume(name, of: owner)
    }

    private func check(
        _ size: ByteCount,
        owner: String,
        adding count: Int,
        to usage: VolumeUsage
    ) throws(ClusterError) {
        let quota = quotas.quota(of: owner)
        func refuse(_ text: String) -> ClusterError { ClusterError(code: .invalid, message: text) }
        if let least = quota.smallestVolume, size < least {
            throw refuse("the volume's size of \(size) is less than the quota's min_disk_per_volume of \(least)")
        }
        if let most = quota.largestVolume, size > most {
            throw refuse("the volume's size of \(size) is more than the quota's max_disk_per_volume of \(most)")
        }
        if let most = quota.volumes, usage.count + count > most {
            throw refuse("volume quota exceeded: \(usage.count) volumes of \(most) are there; delete one first")
        }
        if let most = quota.volumeBytes, usage.bytes + size > most {
            throw refuse("volume quota exceeded: volumes of \(usage.bytes) in all are there, and \(most) are allowed")
        }
    }

    /// Removes a volume with all that is in it.
    ///
    /// - Throws: `ClusterError` with `notFound`, `invalid` where a service uses it, `failed`.
    package func remove(_ name: VolumeName, owner: String) async throws {
        let record = try volume(name, of: owner).record
        guard attachments(of: record).isEmpty else {
            throw ClusterError(
                code: .invalid, message: "managed volume is still attached to one or more services")
        }
        try await erase(record)
    }

    private func erase(_ record: VolumeRecord) async throws {
        let key = Key(owner: record.owner, name: record.name)
        let isOurs = entries.withLock { entries in
            guard let entry = entries[key], !entry.isChanging, entry.record.id == record.id else { return false }
            entries[key]?.isChanging = true
            entries[key]?.isDeleting = true
            return true
        }
        guard isOurs else { throw Self.missing(record.name) }
        do { try await state.delete(volume: record.id) } catch {
            entries.withLock { entries in
                entries[key]?.isChanging = false
                entries[key]?.isDeleting = false
            }
            throw ClusterError(
                code: .failed, message: "the volume \"\(record.name)\" could not be removed", cause: error)
        }
        entries.withLock { $0[key] = nil }
        await removeFolder(of: record)
        logger.info("volume removed", metadata: ["volume": "\(record.name)", "owner": "\(record.owner)"])
    }

    /// Links in it are not followed; what stays, because somebody still writes there, is removed at the next start.
    private func removeFolder(of record: VolumeRecord) async {
        let path = folder.appending(record.id)
        do { try await Folder.offload { try Folder.remove(path) } } catch {
            logger.warning(
                "files of a removed volume are left", metadata: ["volume": "\(record.name)", "error": "\(error)"])
        }
    }

    // MARK: Services

    /// Makes or finds the volume of a service that is to be.
    ///
    /// - Returns: how to undo that; `nil` where nothing was made.
    /// - Throws: `ClusterError` with `invalid`, `conflict`, `failed`.
    func attach(_ definition: ServiceDefinition) async throws -> (@Sendable () async throws -> Void)? {
        guard let volume = definition.volume else { return nil }
        let name: VolumeName
        do { name = try VolumeName(volume.name) } catch {
            throw ClusterError(code: .invalid, message: "The service specification is not valid: \(error)")
        }
        guard let size = volume.size else {
            guard entries.withLock({ $0[Key(owner: definition.owner, name: name)] }) != nil else {
                throw ClusterError(
                    code: .invalid, message: "Referenced volume does not exist in the caller namespace")
            }
            return nil
        }
        let bytes: ByteCount
        do { bytes = try size.byteCount() } catch {
            throw ClusterError(code: .invalid, message: "volume.size: \(error)")
        }
        let record = try await create(
            name, size: bytes, owner: definition.owner, service: definition.name,
            policy: VolumePolicy(rawValue: volume.lifecyclePolicy) ?? .delete
        ).record
        return { [self] in try await erase(record) }
    }

    /// A service is gone: its volume goes too, where the service has made it, nothing else was said, and no other service uses
    /// it.
    func detach(_ service: RegisteredService) async {
        guard let record = entry(of: service)?.record, record.service == service.name, record.policy == .delete else {
            return
        }
        let others = attachments(of: record).map(\.service.text)
        guard others.isEmpty else {
            return logger.info(
                "volume kept: other services use it",
                metadata: ["volume": "\(record.name)", "services": "\(others.joined(separator: " "))"])
        }
        do { try await erase(record) } catch {
            logger.warning("a volume is left", metadata: ["volume": "\(record.name)", "error": "\(error)"])
        }
    }

    // MARK: Measuring

    /// Looks how much is in all volumes.
    package func measureAll() async {
        for entry in entries.withLock({ Array($0.values) }) { await measure(entry.record) }
    }

    /// Looks how much is in a service's volume.
    func measure(_ service: RegisteredService) async {
        if let record = entry(of: service)?.record { await measure(record) }
    }

    private func measure(_ record: VolumeRecord) async {
        let path = Self.data(record.id, in: folder)
        // What cannot be read is looked at again in a while.
        guard let bytes = try? await Folder.offload({ try Folder.usedBytes(below: path) }) else { return }
        entries.withLock { entries in
            let key = Key(owner: record.owner, name: record.name)
            if entries[key]?.record.id == record.id { entries[key]?.used = ByteCount(bytes) }
        }
    }

    // MARK: Folders

    private static func data(_ id: String, in root: FilePath) -> FilePath {
        root.appending(id).appending("data")
    }

    private static func makeFolder(_ id: String, in root: FilePath) throws {
        try Folder.make(root.appending(id), mode: 0o700)
        let data = data(id, in: root)
        try Folder.make(data, mode: 0o777)
        try Folder.open(data)
        try Folder.synchronize(root.appending(id))
        try Folder.synchronize(root)
    }

    private static func missing(_ name: VolumeName) -> ClusterError {
        ClusterError(code: .notFound, message: "the volume \"\(name)\" does not exist")
    }
}
