import Model
import SystemPackage

/// Brings an image from where it is into a directory, with `skopeo`, `umoci` and `tar`.
///
/// The programs guard against archives that try to write outside of the directory; device files and set-user-id bits that
/// they may hold have no effect, because root file systems are mounted without them.
struct ImageUnpacking: Sendable {
    /// The full reference, or any name for a file.
    let reference: String
    let source: ImageSource
    /// Empty, ours alone; what is made in it is renamed or removed by the caller.
    let directory: FilePath
    let progress: @Sendable (String) -> Void

    var rootFileSystem: FilePath { directory.appending("rootfs") }
    private var layout: FilePath { directory.appending("layout") }
    private static let tag = "apus"

    /// What was found, before it is unpacked.
    enum Found: Sendable, Hashable {
        case layout(digest: String)
        case archive(FilePath, digest: String)

        var digest: String {
            switch self {
            case .layout(let digest), .archive(_, let digest): digest
            }
        }
    }

    /// Copies the image to this machine and tells its digest.
    func fetch() async throws(SandboxError) -> Found {
        switch source {
        case .registry:
            let message =
                "the image \(reference) could not be fetched; where its registry cannot be reached from here, add it "
                + "from a file: apus image add \(reference) FILE"
            return .layout(digest: try await copy(from: "docker://\(reference)", failure: message))
        case .file(let path):
            let failure = "the image file \(path) could not be read"
            switch try await kind(of: path) {
            case .layout: return .layout(digest: try await copy(from: "oci:\(path)", failure: failure))
            case .archive: return .layout(digest: try await copy(from: "oci-archive:\(path)", failure: failure))
            case .docker: return .layout(digest: try await copy(from: "docker-archive:\(path)", failure: failure))
            case .rootFileSystem: return .archive(path, digest: try await digest(of: path))
            }
        }
    }

    /// Unpacks what was fetched.
    func unpack(_ found: Found) async throws(SandboxError) -> (size: ByteCount, defaults: ImageDefaults) {
        progress("unpacking \(reference)")
        let defaults: ImageDefaults
        switch found {
        case .layout:
            let umoci = try Self.program("umoci")
            try await command(
                umoci, ["raw", "unpack", "--image", "\(layout):\(Self.tag)", rootFileSystem.string],
                failure: SandboxError(.imageBroken, "the image \(reference) could not be unpacked")
            )
            defaults = try await self.defaults(found, files: rootFileSystem)
        case .archive(let path, _):
            defaults = try await self.defaults(found, files: rootFileSystem)
            do { try SystemFiles.makeDirectory(rootFileSystem) } catch {
                throw SandboxError(.imageBroken, "\(rootFileSystem) could not be made", cause: error)
            }
            try await command(
                try Self.program("tar"),
                [
                    "--extract", "--file", path.string, "--directory", rootFileSystem.string, "--numeric-owner",
                    "--preserve-permissions", "--delay-directory-restore", "--no-wildcards",
                ],
                failure: SandboxError(.imageBroken, "the archive \(path) could not be unpacked")
            )
        }
        guard !SystemFiles.names(in: rootFileSystem).isEmpty else {
            throw SandboxError(.imageBroken, "the image \(reference) holds no files")
        }
        let lines = try await command(
            try Self.program("du"), ["--summarize", "--block-size=1", rootFileSystem.string],
            failure: SandboxError(.imageBroken, "the size of \(rootFileSystem) could not be found")
        )
        let size = lines.last?.split(whereSeparator: \.isWhitespace).first.flatMap { Int64($0) } ?? 0
        return (ByteCount(size), defaults)
    }

    /// What an image that was fetched says about its processes.
    ///
    /// - Parameter files: its root file system, in which user names are looked up.
    func defaults(_ found: Found, files: FilePath) async throws(SandboxError) -> ImageDefaults {
        guard case .layout = found else {
            var defaults = ImageDefaults()
            defaults.command = []  // An archive of files says nothing.
            return defaults
        }
        let configuration = directory.appending("config.json")
        let failure = SandboxError(
            .imageBroken, "the configuration of the image \(reference) could not be read")
        try await command(
            try Self.program("umoci"),
            [
                "raw", "runtime-config", "--image", "\(layout):\(Self.tag)", "--rootfs", files.string,
                configuration.string,
            ], failure: failure)
        guard let text = SystemFiles.text(configuration), let json = try? JSONValue.parse(text) else {
            throw failure
        }
        var defaults = ImageDefaults(runtimeConfiguration: json)
        // Not from the runtime configuration, in which umoci writes a shell where the image names nothing.
        defaults.command = try command(of: found.digest)
        return defaults
    }

    /// The entry point and its arguments, from the image's own configuration (image-spec, config.md).
    private func command(of digest: String) throws(SandboxError) -> [String] {
        let manifest = try document(digest)
        guard let configuration = manifest["config"]?["digest"]?.stringValue, Self.isDigest(configuration) else {
            throw SandboxError(.imageBroken, "the manifest of the image \(reference) names no configuration")
        }
        let config = try document(configuration)["config"]
        return ["Entrypoint", "Cmd"].flatMap { config?[$0]?.arrayValue?.compactMap(\.stringValue) ?? [] }
    }

    private func document(_ digest: String) throws(SandboxError) -> JSONValue {
        let blob = layout.pushing("blobs/sha256").appending(String(digest.dropFirst("sha256:".count)))
        guard let text = SystemFiles.text(blob, limit: 1 << 24), let json = try? JSONValue.parse(text) else {
            throw SandboxError(.imageBroken, "\(digest) of the image \(reference) could not be read")
        }
        return json
    }

    private func copy(from source: String, failure: String) async throws(SandboxError) -> String {
        progress("fetching \(reference)")
        try await command(
            try Self.program("skopeo"),
            ["copy", "--insecure-policy", source, "oci:\(layout):\(Self.tag)"],
            failure: SandboxError(.imageMissing, failure)
        )
        guard let text = SystemFiles.text(layout.appending("index.json")), let index = try? JSONValue.parse(text),
            let digest = index["manifests"]?[0]?["digest"]?.stringValue, Self.isDigest(digest)
        else { throw SandboxError(.imageBroken, "the image \(reference) has no manifest with a SHA-256 digest") }
        return digest
    }

    private func digest(of path: FilePath) async throws(SandboxError) -> String {
        progress("reading \(path)")
        let lines = try await command(
            try Self.program("sha256sum"), ["--", path.string],
            failure: SandboxError(.imageMissing, "the image file \(path) could not be read")
        )
        // A backslash before the sum says that the file's name is escaped (sha256sum(1)).
        let digest = "sha256:" + (lines.last?.drop { $0 == "\\" }.prefix(64) ?? "")
        guard Self.isDigest(digest) else { throw SandboxError(.imageBroken, "the file \(path) could not be summed up") }
        return digest
    }

    private enum Kind { case layout, archive, docker, rootFileSystem }

    private func kind(of path: FilePath) async throws(SandboxError) -> Kind {
        guard SystemFiles.exists(path) else { throw SandboxError(.imageMissing, "there is no file \(path)") }
        if SystemFiles.exists(path.appending("oci-layout")) { return .layout }
        guard !SystemFiles.isDirectory(path) else {
            throw SandboxError(
                .imageMissing, "\(path) is a directory, but not an OCI layout: it has no file oci-layout")
        }
        // Image archives have few members; of a root file system the first ones are enough.
        let list = "tar --list --file \(ShellText.quoted(path.string)) | head -n 1000; true"
        let lines = try await command(
            "/bin/sh", ["-c", list], failure: SandboxError(.imageMissing, "the archive \(path) could not be read")
        )
        let names = Set(lines.map { $0.hasPrefix("./") ? String($0.dropFirst(2)) : $0 })
        if names.contains("oci-layout"), names.contains("index.json") { return .archive }
        return names.contains("manifest.json") ? .docker : .rootFileSystem
    }

    @discardableResult
    private func command(
        _ program: FilePath,
        _ arguments: [String],
        failure: SandboxError
    ) async throws(SandboxError) -> [String] {
        do {
            return try await HostCommand(program: program, arguments: arguments).run(line: progress)
        } catch is CancellationError {
            throw SandboxError(.cancelled, "fetching the image \(reference) was cancelled")
        } catch {
            throw SandboxError(failure.code, "\(failure.message) (\(error))", cause: error)
        }
    }

    private static func isDigest(_ text: String) -> Bool {
        text.hasPrefix("sha256:") && text.utf8.count == 71
            && text.utf8.dropFirst(7).allSatisfy { (0x61...0x66).contains($0) || (0x30...0x39).contains($0) }
    }

    private static func program(_ name: String) throws(SandboxError) -> FilePath {
        if let path = SystemFiles.program(name) { return path }
        let package = ["sha256sum": "coreutils", "du": "coreutils"][name] ?? name
        throw SandboxError(.unavailable, "images need the program \(name): apt-get install \(package)")
    }
}

extension ImageDefaults {
    /// From what `umoci` makes of the image's configuration: an OCI runtime configuration, user names looked up.
    init(runtimeConfiguration json: JSONValue) {
        self.init()
        environment = json["process"]?["env"]?.arrayValue?.compactMap(\.stringValue) ?? []
        workingDirectory = json["process"]?["cwd"]?.stringValue ?? "/"
        let user = json["process"]?["user"]
        userID = user?["uid"]?.integerValue ?? 0
        groupID = user?["gid"]?.integerValue ?? 0
        moreGroupIDs = user?["additionalGids"]?.arrayValue?.compactMap(\.integerValue) ?? []
    }
}
