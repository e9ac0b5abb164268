import Glibc
import Model
package import SystemPackage

/// The images of this Apus, unpacked, by digest; two names of one image share its files.
///
/// In its directory: `images.json` (written anew and renamed at each change), `rootfs/<digest>`, and `unpacking`, whose
/// contents belong to unfinished work and are removed at start.
package actor ImageStore {
    private let directory: FilePath
    private var images: [String: StoredImage] = [:]
    /// Full reference to digest.
    private var digests: [String: String] = [:]
    private var pulls: [String: Pull] = [:]
    private var uses: [String: Int] = [:]
    private var count = 0
    private var saving: Task<Void, any Error>?

    private var indexFile: FilePath { directory.appending("images.json") }
    private var unpacking: FilePath { directory.appending("unpacking") }

    /// Opens the store, which is made where there is none, and removes unfinished work.
    ///
    /// - Throws: `.unavailable` where the directory or its index cannot be read or written.
    package static func open(at directory: FilePath) async throws(SandboxError) -> ImageStore {
        let index: String?
        do {
            index = try await SystemFiles.offload {
                try SystemFiles.makeDirectories(directory, mode: 0o700)
                try SystemFiles.makeDirectory(directory.appending("rootfs"), mode: 0o755)
                SystemFiles.removeTree(directory.appending("unpacking"))
                try SystemFiles.makeDirectory(directory.appending("unpacking"), mode: 0o700)
                let file = directory.appending("images.json")
                guard SystemFiles.exists(file) else { return nil }
                guard let text = SystemFiles.text(file, limit: 1 << 26) else { throw Errno.ioError }
                return text
            }
        } catch {
            throw SandboxError(.unavailable, "the image directory \(directory) cannot be used: \(error)", cause: error)
        }
        let store = ImageStore(directory: directory)
        if let index { try await store.load(index) }
        return store
    }

    private init(directory: FilePath) { self.directory = directory }

    /// The images, by their first names.
    package func list() -> [StoredImage] {
        images.values.sorted { ($0.names.first ?? "", $0.digest) < ($1.names.first ?? "", $1.digest) }
    }

    /// The image of that name or digest, where it is here.
    package func image(_ name: String) -> StoredImage? {
        if let image = images[name] { return image }
        return ImageReference.normalized(name).flatMap { digests[$0] }.flatMap { images[$0] }
    }

    /// Whether the image is here, or could be fetched as far as its name and the installed programs tell.
    ///
    /// - Throws: `.invalid`, `.unavailable`.
    package func check(_ name: String) throws(SandboxError) {
        if image(name) != nil { return }
        guard ImageReference.normalized(name) != nil else { throw Self.badName(name) }
        for program in ["skopeo", "umoci"] where SystemFiles.program(program) == nil {
            throw SandboxError(
                .unavailable,
                "the image \(name) is not here, and fetching it needs \(program): apt-get install skopeo umoci"
            )
        }
    }

    /// Makes the image available under the name.
    ///
    /// From a registry, an image that is here is not fetched again unless `refresh` is set. Calls for one name at the
    /// same time share the work.
    ///
    /// - Parameter progress: called with lines for people.
    /// - Throws: `.invalid`, `.imageMissing`, `.imageBroken`, `.unavailable`, `.cancelled`.
    @discardableResult
    package func add(
        _ name: String,
        from source: ImageSource = .registry,
        refresh: Bool = false,
        progress: @escaping @Sendable (String) -> Void = { _ in }
    ) async throws(SandboxError) -> StoredImage {
        guard let reference = ImageReference.normalized(name) else { throw Self.badName(name) }
        if source == .registry, !refresh, let image = image(name) { return image }
        let pull: Pull
        if let running = pulls[reference], running.source == source, !running.isOver {
            pull = running
        } else {
            // Awaited by everyone in `result(of:)`; the last one to lose interest cancels it.
            pull = Pull(source: source) { [weak self] progress in
                guard let self else { throw SandboxError(.cancelled, "the image store is closed") }
                return try await self.obtain(name, reference, source, progress)
            }
            pulls[reference] = pull
        }
        defer { if pulls[reference] === pull, pull.isOver { pulls[reference] = nil } }
        return try await pull.result(progress)
    }

    /// Takes the name away, and the files where no other name is left.
    ///
    /// Unknown names are no error.
    ///
    /// - Throws: `.imageInUse` where an invocation uses the files; `.unavailable` where the index cannot be written.
    package func remove(_ name: String) async throws(SandboxError) {
        guard var image = image(name) else { return }
        let reference = ImageReference.normalized(name)
        image.names.removeAll { ImageReference.normalized($0) == reference || image.digest == name }
        if image.names.isEmpty {
            guard uses[image.digest, default: 0] == 0 else {
                throw SandboxError(
                    .imageInUse, "the image \(name) is used by a running invocation; try again when it has ended")
            }
            images[image.digest] = nil
        } else {
            images[image.digest] = image
        }
        rebuildNames()
        try await save()
        if image.names.isEmpty {
            count += 1
            let (from, to) = (files(of: image.digest), unpacking.appending("removed-\(count)"))
            // Where this fails the directory is not in the index any more, and only takes space.
            try? await SystemFiles.offload {
                _ = from.withPlatformString { from in to.withPlatformString { rename(from, $0) } }
                SystemFiles.removeTree(to)
            }
        }
    }

    /// The image with its files kept from removal until `release`.
    ///
    /// - Throws: as `add`, which it calls where the image is not here.
    func use(_ name: String) async throws(SandboxError) -> (image: StoredImage, files: FilePath) {
        let image = try await add(name)
        uses[image.digest, default: 0] += 1
        return (image, files(of: image.digest))
    }

    func release(_ image: StoredImage) {
        let rest = uses[image.digest, default: 1] - 1
        uses[image.digest] = rest > 0 ? rest : nil
    }

    private func files(of digest: String) -> FilePath {
        directory.pushing("rootfs").appending(digest.replacing(":", with: "-"))
    }

    private func obtain(
        _ name: String,
        _ reference: String,
        _ source: ImageSource,
        _ progress: @escaping @Sendable (String) -> Void
    ) async throws(SandboxError) -> StoredImage {
        count += 1
        let work = unpacking.appending("\(count)")
        do { try SystemFiles.makeDirectory(work, mode: 0o700) } catch {
            throw SandboxError(.unavailable, "\(work) could not be made", cause: error)
        }
        let unpacking = ImageUnpacking(reference: reference, source: source, directory: work, progress: progress)
        let result: Result<StoredImage, SandboxError>
        do throws(SandboxError) { result = .success(try await take(name, unpacking)) } catch {
            result = .failure(error)
        }
        // Left-overs would be removed at the next start.
        try? await SystemFiles.offload { SystemFiles.removeTree(work) }
        return try result.get()
    }

    private func take(_ name: String, _ unpacking: ImageUnpacking) async throws(SandboxError) -> StoredImage {
        let found = try await unpacking.fetch()
        if images[found.digest] == nil {
            let (size, defaults) = try await unpacking.unpack(found)
            let target = files(of: found.digest)
            if images[found.digest] == nil {
                do { try await Self.putInPlace(unpacking.rootFileSystem, target) } catch {
                    throw SandboxError(.unavailable, "\(target) could not be written", cause: error)
                }
                images[found.digest] = StoredImage(
                    names: [], digest: found.digest, size: size, created: .now(), defaults: defaults
                )
            }
        }
        if images[found.digest]?.defaults.command == nil {
            let defaults = try await unpacking.defaults(found, files: files(of: found.digest))
            images[found.digest]?.defaults.command = defaults.command
        }
        try await setName(name, to: found.digest)
        guard let image = images[found.digest] else {
            throw SandboxError(.imageMissing, "the image \(name) was removed while it was added")
        }
        return image
    }

    private static func putInPlace(_ from: FilePath, _ to: FilePath) async throws {
        if let sync = SystemFiles.program("sync") {
            // Everything on disk before the index speaks of it.
            try await HostCommand(program: sync, arguments: ["--file-system", from.string]).run()
        }
        try await SystemFiles.offload {
            SystemFiles.removeTree(to)  // of a directory that no index knows
            try SystemFiles.changeMode(from, 0o755)
            guard from.withPlatformString({ from in to.withPlatformString { rename(from, $0) } }) == 0 else {
                throw Errno(rawValue: errno)
            }
        }
    }

    private func setName(_ name: String, to digest: String) async throws(SandboxError) {
        let reference = ImageReference.normalized(name)
        for (other, var image) in images where other != digest {
            let before = image.names.count
            image.names.removeAll { ImageReference.normalized($0) == reference }
            if image.names.count != before { images[other] = image }
        }
        if var image = images[digest], !image.names.contains(name) {
            image.names.removeAll { ImageReference.normalized($0) == reference }
            image.names.append(name)
            images[digest] = image
        }
        rebuildNames()
        try await save()
    }

    private func rebuildNames() {
        digests = [:]
        for image in images.values {
            for name in image.names {
                if let reference = ImageReference.normalized(name) { digests[reference] = image.digest }
            }
        }
    }

    private func save() async throws(SandboxError) {
        let json = JSONValue.object(
            JSONObject([("version", .integer(1)), ("images", .array(list().map(\.json)))])
        )
        let (file, bytes) = (indexFile, Array(json.prettyText().utf8))
        let previous = saving
        // Awaited below. One after the other, so that the last state is the one that stays.
        let task = Task {
            _ = await previous?.result
            try await SystemFiles.offload { try SystemFiles.replace(file, with: bytes) }
        }
        saving = task
        do { try await task.value } catch {
            throw SandboxError(.unavailable, "\(file) could not be written: \(error)", cause: error)
        }
    }

    private func load(_ text: String) throws(SandboxError) {
        guard let json = try? JSONValue.parse(text), json["version"]?.integerValue == 1,
            let entries = json["images"]?.arrayValue
        else {
            throw SandboxError(
                .unavailable,
                "\(indexFile) cannot be understood: it was written by a newer Apus or is damaged; move it away to start anew"
            )
        }
        for entry in entries {
            // An image whose files are gone is fetched again when it is needed.
            guard let image = StoredImage(json: entry), SystemFiles.isDirectory(files(of: image.digest)) else {
                continue
            }
            images[image.digest] = image
        }
        rebuildNames()
    }

    private static func badName(_ name: String) -> SandboxError {
        SandboxError(.invalid, "\"\(name.prefix(200))\" is not the name of an image: write it as registry/path:tag")
    }
}
