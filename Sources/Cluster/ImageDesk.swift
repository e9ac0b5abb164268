import Model
package import NIOCore
package import Sandboxes
import SystemPackage

/// The images of the cluster: added, listed, removed.
package struct ImageDesk: Sendable {
    private let data: DataDirectory
    private let images: ImageStore
    private let catalog: ServiceCatalog

    package init(data: DataDirectory, images: ImageStore, catalog: ServiceCatalog) {
        self.data = data
        self.images = images
        self.catalog = catalog
    }

    package func all() async -> [StoredImage] { await images.list() }

    /// Fetches an image from a registry, or takes it from a file or folder of this machine.
    ///
    /// - Parameters:
    ///   - source: `docker://reference`, a reference, or an absolute path.
    ///   - name: what services call it; the reference where `nil`.
    ///   - progress: called with lines for people.
    /// - Throws: `ClusterError` with `invalid` or `failed`.
    package func add(
        from source: String,
        name: String?,
        progress: @escaping @Sendable (String) -> Void
    ) async throws -> StoredImage {
        guard source.hasPrefix("/") else {
            let reference = source.hasPrefix("docker://") ? String(source.dropFirst("docker://".count)) : source
            guard name == nil || name == reference else {
                throw ClusterError(code: .invalid, message: "an image from a registry keeps its own name, \(reference)")
            }
            return try await add(reference, .registry, progress)
        }
        guard let name else {
            throw ClusterError(code: .invalid, message: "say what services shall call the image: --name NAME")
        }
        return try await add(name, .file(FilePath(source)), progress)
    }

    /// Takes an archive that a client sends: OCI or Docker archive, or a root file system.
    package func add(
        archive: some AsyncSequence<ByteBuffer, any Error>,
        name: String,
        progress: @escaping @Sendable (String) -> Void
    ) async throws -> StoredImage {
        let path = data.work.appending("upload-\(UniqueID.uuid())")
        do {
            try await Folder.write(archive, to: path)
            let image = try await add(name, .file(path), progress)
            try await Folder.offload { try Folder.removeFile(path) }
            return image
        } catch {
            try? await Folder.offload { try Folder.removeFile(path) }  // What stays is removed at the next start.
            throw error
        }
    }

    private func add(
        _ name: String,
        _ source: ImageSource,
        _ progress: @escaping @Sendable (String) -> Void
    ) async throws -> StoredImage {
        do {
            return try await images.add(name, from: source, refresh: true, progress: progress)
        } catch {
            throw ClusterError(code: error.code == .invalid ? .invalid : .failed, message: error.message, cause: error)
        }
    }

    /// - Throws: `ClusterError` with `notFound`, or `forbidden` where a service needs the image.
    package func remove(_ name: String) async throws {
        guard let image = await images.image(name) else {
            throw ClusterError(code: .notFound, message: "there is no image \"\(name)\"")
        }
        let users = catalog.all.filter { image.names.contains($0.definition.image) && $0.sandbox == .container }
        guard users.isEmpty || image.names.count > 1 else {
            let names = users.map(\.name.text).joined(separator: ", ")
            throw ClusterError(
                code: .forbidden, message: "the image \"\(name)\" is used by \(names); remove that first")
        }
        do { try await images.remove(name) } catch {
            throw ClusterError(
                code: error.code == .imageInUse ? .forbidden : .failed, message: error.message, cause: error)
        }
    }
}
