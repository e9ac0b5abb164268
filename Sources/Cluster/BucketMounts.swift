package import Logging
package import Model
package import ObjectEngine
import SystemPackage

/// Lets services see buckets as folders: a copy on disk for each service, made fresh before each invocation, whose changed
/// files are put back after it.
///
/// Only what differs is copied. Invocations of a service that are under way at once share the copy. What is removed there stays
/// in the bucket, and is back at the next invocation.
package actor BucketMounts {
    /// More is not mounted.
    package struct Limits: Sendable {
        package var objects: Int
        package var bytes: ByteCount

        package init(objects: Int = 100_000, bytes: ByteCount = ByteCount(64 << 30)) {
            (self.objects, self.bytes) = (objects, bytes)
        }
    }

    private struct Mount {
        var ledger = MountLedger()
        /// Somebody copies; the others wait.
        var isBusy = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let root: FilePath
    private let store: ObjectStore
    private let limits: Limits
    private let logger: Logger
    private var mounts: [ServiceName: Mount] = [:]

    package init(data: DataDirectory, store: ObjectStore, limits: Limits = Limits(), logger: Logger) {
        (root, self.store, self.limits, self.logger) = (data.mounts, store, limits, logger)
    }

    /// Removes the copies of an earlier run: nobody knows any more which of their files are whose.
    package func load() async throws {
        let root = root
        try await Folder.offload { for entry in try Folder.entries(root) { try Folder.remove(entry.path) } }
    }

    /// Makes the folder show what the bucket holds now.
    ///
    /// - Throws: `JobFailure` where the bucket is gone or holds too much; errors of the store and the system.
    func acquire(_ service: RegisteredService) async throws -> FilePath? {
        guard let mount = service.definition.mount, let bucket = mount.bucketName else { return nil }
        let folder = self.folder(service.name)
        await enter(service.name)
        defer { leave(service.name) }
        try await Folder.offload { try Self.make(folder) }
        let objects = try await objects(of: mount, in: bucket)
        let files = try await Self.states(folder)
        let ledger = mounts[service.name]?.ledger ?? MountLedger()
        let refresh = ledger.refresh(objects: objects.mapValues(\.eTag), files: files)
        for name in refresh.remove {
            try await Folder.offload { try Folder.removeFile(name, beneath: Self.files(folder)) }
            mounts[service.name]?.ledger.forget(name)
        }
        for name in refresh.fetch {
            guard let record = objects[name] else { continue }
            try Task.checkCancellation()
            guard let state = try await fetch(record, as: name, in: folder) else { continue }
            mounts[service.name]?.ledger.note(name, eTag: record.eTag, file: state)
        }
        return Self.files(folder)
    }

    /// Puts back what is new or was changed.
    ///
    /// - Throws: `JobFailure` where the bucket does not take a file.
    func release(_ service: RegisteredService, principal: String) async throws {
        guard let mount = service.definition.mount, !mount.isReadOnly, let bucket = mount.bucketName,
            mounts[service.name] != nil
        else { return }
        let folder = self.folder(service.name)
        await enter(service.name)
        defer { leave(service.name) }
        let files = try await Self.states(folder)
        let changes = mounts[service.name]?.ledger.changes(in: files) ?? []
        // A copy: what is read at the end is what was looked at in the beginning.
        let copy = folder.appending("outgoing")
        for name in changes {
            let state = try await Folder.offload { try Folder.copyOut(name, beneath: Self.files(folder), to: copy) }
            guard let state else { continue }
            let eTag = try await putBack(copy, mount.keyPrefix + name, bucket, principal)
            mounts[service.name]?.ledger.note(name, eTag: eTag, file: state)
        }
        if !changes.isEmpty { try await Folder.offload { try Folder.removeFile(copy) } }
    }

    /// A service is gone.
    func forget(_ name: ServiceName) async {
        guard mounts[name] != nil else { return }
        await enter(name)
        leave(name)
        mounts[name] = nil
        let folder = folder(name)
        do { try await Folder.offload { try Folder.remove(folder) } } catch {
            logger.warning(
                "the copy of a mounted bucket is left", metadata: ["service": "\(name)", "error": "\(error)"])
        }
    }

    private func folder(_ name: ServiceName) -> FilePath { root.appending(name.text) }

    /// Waits until nobody else copies for a service.
    private func enter(_ name: ServiceName) async {
        while mounts[name, default: Mount()].isBusy {
            await withCheckedContinuation { continuation in mounts[name]?.waiting.append(continuation) }
        }
        mounts[name, default: Mount()].isBusy = true
    }

    private func leave(_ name: ServiceName) {
        let waiting = mounts[name]?.waiting ?? []
        mounts[name]?.waiting = []
        mounts[name]?.isBusy = false
        for continuation in waiting { continuation.resume() }
    }

    // MARK: Files

    private static func files(_ folder: FilePath) -> FilePath { folder.appending("files") }

    private static func make(_ folder: FilePath) throws {
        try Folder.make(folder, mode: 0o700)
        try Folder.make(files(folder), mode: 0o777)
        try Folder.open(files(folder))
    }

    private static func states(_ folder: FilePath) async throws -> [String: MountLedger.FileState] {
        try await Folder.offload { try Folder.fileStates(below: files(folder)) }
    }

    // MARK: Objects

    /// The objects of the mounted folder, by relative name.
    private func objects(
        of mount: StorageIO,
        in bucket: BucketName
    ) async throws -> [String: ObjectRecord] {
        var found: [String: ObjectRecord] = [:]
        var bytes = ByteCount.zero
        var after: String?
        repeat {
            let page = try await page(of: mount, in: bucket, after: after)
            for record in page.objects {
                let name = String(record.key.text.dropFirst(mount.keyPrefix.count))
                guard Self.isFileName(name) else { continue }
                found[name] = record
                bytes = bytes + record.size
            }
            guard found.count <= limits.objects, bytes <= limits.bytes else {
                throw JobFailure(
                    .input,
                    message: "the mounted folder \"\(mount.path)\" holds more than \(limits.objects) objects or "
                        + "\(limits.bytes); mount a folder with less in it")
            }
            after = page.next
        } while after != nil
        return found
    }

    private func page(of mount: StorageIO, in bucket: BucketName, after: String?) async throws -> Listing {
        do {
            return try await store.list(bucket: bucket, prefix: mount.keyPrefix, after: after, limit: 1000)
        } catch {
            guard error.code == .noSuchBucket else { throw error }
            throw JobFailure(.input, message: "the mounted bucket \"\(bucket)\" does not exist; create it again")
        }
    }

    /// Whether a key can be a path below a folder: neither a folder itself nor a way out, and no part too long.
    private static func isFileName(_ name: String) -> Bool {
        let parts = name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        return !parts.isEmpty
            && parts.allSatisfy { part in
                !part.isEmpty && part.count <= 255 && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
            }
    }

    /// Brings an object in; `nil` where it is gone, or something is in its way.
    private func fetch(
        _ record: ObjectRecord,
        as name: String,
        in folder: FilePath
    ) async throws -> MountLedger.FileState? {
        let temporary = folder.appending("incoming")
        try await Folder.offload { try Folder.removeFile(temporary) }
        do { try await store.export(record, to: temporary) } catch  where error.code == .contentReplaced {
            return nil  // The next invocation gets what is there now.
        }
        return try await Folder.offload {
            try Folder.moveIn(temporary, as: name, beneath: folder.appending("files"))
        }
    }

    private func putBack(
        _ file: FilePath,
        _ key: String,
        _ bucket: BucketName,
        _ principal: String
    ) async throws -> String {
        do {
            return try await store.putFile(
                at: file, as: try ObjectKey(key), in: bucket,
                attributes: ObjectAttributes(contentType: ContentType.guess(forName: key)),
                origin: RequestOrigin(principal: principal, sourceAddress: "")
            ).eTag
        } catch {
            throw JobFailure(
                .output, message: "the file \"\(key)\" cannot be put back into the bucket \"\(bucket)\": \(error)")
        }
    }
}
