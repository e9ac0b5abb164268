import Model
import S3Client
import SystemPackage

/// Copies files between this machine and buckets, several at once.
struct FileTransfers: Sendable {
    let store: S3Client
    let queue: TransferQueue

    init(_ store: S3Client, isQuiet: Bool) {
        self.store = store
        queue = TransferQueue(TransferDisplay(isQuiet: isQuiet))
    }

    /// Sends files, and with `recursive` the files of folders, to a place in a bucket.
    ///
    /// - Throws: `invalidInput` where the sources do not fit the target; what the transfers throw.
    func put(_ sources: [FilePath], to target: RemotePath, recursive: Bool) async throws {
        try await queue.run { add in
            for source in sources {
                if let size = try await LocalTree.regularFile(source) {
                    let name = source.lastComponent?.string ?? ""
                    // A file keeps its name in a folder, beside other files, and beside the files of a folder.
                    let isFolder = target.isFolder || sources.count > 1 || recursive
                    let key = isFolder ? target.folderPrefix + name : target.key
                    await add(transferOut(source, size: size, to: key, in: target.bucket.text))
                } else if try await LocalTree.isFolder(source) {
                    guard recursive else {
                        queue.fail(CommandError(.invalidInput, "\(source) is a folder; copy it with -r"))
                        continue
                    }
                    try await LocalTree.walk(source) { file, parts, size in
                        let key = target.folderPrefix + parts.joined(separator: "/")
                        await add(transferOut(file, size: size, to: key, in: target.bucket.text))
                    }
                } else {
                    queue.fail(CommandError(.localFile, "there is no file \(source)"))
                }
            }
        }
    }

    /// Fetches one object: to a file, or into a folder where the target is one or ends with a slash.
    ///
    /// - Returns: where it is now.
    @discardableResult
    func get(_ source: RemotePath, to target: FilePath, isFolder: Bool) async throws -> FilePath {
        let object = try await store.head(bucket: source.bucket.text, key: source.key)
        var file = target
        let targetIsFolder = try await LocalTree.isFolder(target)
        if isFolder || targetIsFolder {
            let base = source.key.split(separator: "/").last.map(String.init) ?? ""
            guard let parts = RemotePath.localParts(of: base, below: ""), let name = parts.first else {
                throw CommandError(.invalidInput, "\"\(source.key)\" has no name that a file can have; name the file")
            }
            if !targetIsFolder { try await LocalTree.makeFolder(target) }
            file = target.appending(name)
        }
        let destination = file
        try await queue.run { add in await add(transferIn(object, from: source.bucket.text, to: destination)) }
        return destination
    }

    /// Fetches all objects of a folder in a bucket, with their paths below it.
    ///
    /// - Throws: `notFound` where there is none; what the transfers throw.
    func getAll(_ source: RemotePath, to target: FilePath) async throws {
        var count = 0
        let prefix = source.folderPrefix
        try await queue.run { add in
            try await store.eachObject(bucket: source.bucket.text, prefix: prefix) { object in
                count += 1
                // An empty object with a slash at its end stands for a folder.
                if object.key.hasSuffix("/"), object.size == .zero {
                    guard object.key != prefix else { return }
                    let parts = RemotePath.localParts(of: String(object.key.dropLast()), below: prefix)
                    if let parts { try await LocalTree.makeFolder(parts.reduce(target) { $0.appending($1) }) }
                    return
                }
                guard let parts = RemotePath.localParts(of: object.key, below: prefix) else {
                    queue.fail(
                        CommandError(
                            .invalidInput,
                            "\"\(object.key)\" is no path that a file can have here; get it alone, and name the file")
                    )
                    return
                }
                let file = parts.reduce(target) { $0.appending($1) }
                await add {
                    try await LocalTree.makeFolder(file.removingLastComponent())
                    try await transferIn(object, from: source.bucket.text, to: file)()
                }
            }
        }
        if count == 0 { throw CommandError(.notFound, "there is nothing in \(source)") }
    }

    private func transferOut(
        _ file: FilePath,
        size: Int64,
        to key: String,
        in bucket: String
    ) -> @Sendable () async throws -> Void {
        {
            let display = queue.display
            display.begin(name: file.lastComponent?.string ?? "", bytes: size)
            defer { display.end() }
            try await store.put(
                file: file, size: ByteCount(size), bucket: bucket, key: key,
                contentType: MediaType.ofFile(file.lastComponent?.string ?? ""), progress: { display.moved($0) })
        }
    }

    private func transferIn(
        _ object: S3Object,
        from bucket: String,
        to file: FilePath
    ) -> @Sendable () async throws -> Void {
        {
            let display = queue.display
            display.begin(name: file.lastComponent?.string ?? "", bytes: object.size.bytes)
            defer { display.end() }
            try await store.get(bucket: bucket, key: object.key, to: file, progress: { display.moved($0) })
        }
    }
}

extension S3Client {
    /// Calls `visit` with each object whose key begins so, page by page.
    func eachObject(
        bucket: String,
        prefix: String,
        _ visit: (S3Object) async throws -> Void
    ) async throws {
        var continuation: String?
        repeat {
            let page = try await list(bucket: bucket, prefix: prefix, continuation: continuation)
            for object in page.objects { try await visit(object) }
            continuation = page.continuation
        } while continuation != nil
    }
}
