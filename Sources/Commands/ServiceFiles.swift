import APIClient
import ArgumentParser
import Model
import S3Client
import SystemPackage

/// The file commands of `apus service`, as oscar-cli has them.
enum ServiceFiles {
    /// The storage behind a provider's name of a service: the cluster's own for `minio` and `minio.default`, else one
    /// that the service declares, where the cluster shows its keys.
    static func access(_ provider: String, of service: String, _ client: APIClient) async throws -> StorageAccess {
        let parts = provider.split(separator: ".", maxSplits: 1).map(String.init)
        let (kind, id) = (parts.first?.lowercased() ?? "", parts.count == 2 ? parts[1] : "default")
        guard kind == "minio" || kind == "s3" else {
            throw CommandError(.invalidInput, "\"\(provider)\" must be minio.ID or s3.ID")
        }
        let definition = try await client.service(service)
        if kind == "minio", id == "default" { return try await client.storageAccess() }
        guard var json = definition["storage_providers"]?[kind]?[id]?.objectValue else {
            throw CommandError(.notFound, "service \"\(service)\" has no storage provider \"\(kind).\(id)\"")
        }
        if kind == "s3", json["endpoint"] == nil {
            let region = json["region"]?.stringValue ?? "us-east-1"
            json["endpoint"] = .string("https://s3.\(region).amazonaws.com")
        }
        guard let access = StorageAccess(.object(json)) else {
            throw CommandError(.invalidInput, "the storage provider \"\(kind).\(id)\" has no endpoint or keys")
        }
        return access
    }

    /// The path of the first input or output of a service in a provider.
    static func defaultPath(_ key: String, provider: String, of service: String, _ client: APIClient) async throws
        -> String
    {
        func normalised(_ text: String) -> String { text.contains(".") ? text : text + ".default" }
        let entries = try await client.service(service)[key]?.arrayValue ?? []
        let entry = entries.first { normalised($0["storage_provider"]?.stringValue ?? "") == normalised(provider) }
        guard let path = entry?["path"]?.stringValue else {
            throw CommandError(.notFound, "service \"\(service)\" has no \(key) in \(provider); name the remote path")
        }
        return path
    }

    /// Whether an argument names a provider, and not a path.
    static func isProvider(_ text: String) -> Bool {
        let kind = text.prefix { $0 != "." }.lowercased()
        return (kind == "minio" || kind == "s3") && !text.contains("/")
    }
}

extension ServiceFiles {
    /// `apus service put-file`.
    struct Put: ReportingCommand {
        static let configuration = CommandConfiguration(
            commandName: "put-file", abstract: "Copies a file into a storage of a service.", aliases: ["pf"])

        @Argument(help: "The name of the service.") var service: String
        @Argument(help: "[PROVIDER] LOCAL [REMOTE]; the cluster's own store and the service's input by default.")
        var arguments: [String]
        @Flag(help: "Shows no progress.") var noProgress = false
        @OptionGroup var options: ClusterOptions

        func validate() throws {
            let paths = arguments.count - (ServiceFiles.isProvider(arguments.first ?? "") ? 1 : 0)
            guard (1...2).contains(paths) else { throw ValidationError("Give [PROVIDER] LOCAL [REMOTE].") }
        }

        func perform() async throws {
            let hasProvider = ServiceFiles.isProvider(arguments[0])
            let provider = hasProvider ? arguments[0] : "minio.default"
            let paths = Array(arguments.dropFirst(hasProvider ? 1 : 0))
            try await Session.withCluster(options) { client in
                let remote =
                    paths.count == 2
                    ? paths[1]
                    : try await ServiceFiles.defaultPath("input", provider: provider, of: service, client) + "/"
                let access = try await ServiceFiles.access(provider, of: service, client)
                try await Session.withStore(access) { store in
                    try await FileTransfers(store, isQuiet: noProgress).put(
                        [Surroundings.current.resolve(paths[0])], to: try RemotePath(remote), recursive: false)
                }
            }
        }
    }

    /// `apus service get-file`.
    struct Get: ReportingCommand {
        static let configuration = CommandConfiguration(
            commandName: "get-file", abstract: "Copies a file from a storage of a service, and prints where it is.",
            aliases: ["gf"])

        @Argument(help: "The name of the service.") var service: String
        @Argument(help: "[PROVIDER] [REMOTE] [LOCAL]; the newest object of the service's output by default.")
        var arguments: [String] = []
        @Flag(help: "Takes the newest object whose key begins with REMOTE.") var downloadLatestInto = false
        @Flag(help: "Shows no progress.") var noProgress = false
        @OptionGroup var options: ClusterOptions

        func validate() throws {
            let paths = arguments.count - (ServiceFiles.isProvider(arguments.first ?? "") ? 1 : 0)
            guard paths <= 2 else { throw ValidationError("Give [PROVIDER] [REMOTE] [LOCAL].") }
        }

        func perform() async throws {
            let hasProvider = arguments.first.map(ServiceFiles.isProvider) ?? false
            let provider = hasProvider ? arguments[0] : "minio.default"
            let paths = Array(arguments.dropFirst(hasProvider ? 1 : 0))
            let target = paths.count > 1 ? paths[1] : "."
            try await Session.withCluster(options) { client in
                let path =
                    paths.first == nil
                    ? try await ServiceFiles.defaultPath("output", provider: provider, of: service, client) + "/"
                    : paths[0]
                let access = try await ServiceFiles.access(provider, of: service, client)
                try await Session.withStore(access) { store in
                    var remote = try RemotePath(path)
                    if remote.isFolder || downloadLatestInto { remote.key = try await newest(remote, store) }
                    let file = try await FileTransfers(store, isQuiet: noProgress).get(
                        remote, to: Surroundings.current.resolve(target), isFolder: target.hasSuffix("/"))
                    try Console.say(Text.printable(file.string))
                }
            }
        }

        private func newest(_ remote: RemotePath, _ store: S3Client) async throws -> String {
            var best: S3Object?
            try await store.eachObject(bucket: remote.bucket.text, prefix: remote.key) { object in
                guard !object.key.hasSuffix("/") else { return }
                let oldest = Instant(nanoseconds: .min)
                if object.lastModified ?? oldest >= best?.lastModified ?? oldest { best = object }
            }
            guard let best else { throw CommandError(.notFound, "there is nothing in \(remote)") }
            return best.key
        }
    }

    /// `apus service list-files`.
    struct List: ReportingCommand {
        static let configuration = CommandConfiguration(
            commandName: "list-files", abstract: "Lists the files in a storage of a service.",
            aliases: ["list-file", "lsf"])

        @Argument(help: "The name of the service.") var service: String
        @Argument(help: "minio.default, or another provider of the service.") var provider: String
        @Argument(help: "BUCKET/FOLDER.") var path: String
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            let remote = try RemotePath(path)
            try await Session.withCluster(options) { client in
                try await Session.withStore(try await ServiceFiles.access(provider, of: service, client)) { store in
                    try await store.eachObject(bucket: remote.bucket.text, prefix: remote.key) { object in
                        try Console.say(Text.printable(object.key))
                    }
                }
            }
        }
    }

    /// `apus service delete-file`.
    struct Remove: ReportingCommand {
        static let configuration = CommandConfiguration(
            commandName: "delete-file", abstract: "Removes a file from a storage of a service.",
            aliases: ["df", "remove-file", "rmf"])

        @Argument(help: "The name of the service.") var service: String
        @Argument(help: "minio.default, or another provider of the service.") var provider: String
        @Argument(help: "BUCKET/KEY.") var path: String
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            let remote = try RemotePath(path)
            guard !remote.key.isEmpty else { throw CommandError(.invalidInput, "name an object: BUCKET/KEY") }
            try await Session.withCluster(options) { client in
                try await Session.withStore(try await ServiceFiles.access(provider, of: service, client)) { store in
                    try await store.delete(bucket: remote.bucket.text, key: remote.key)
                }
            }
        }
    }
}
