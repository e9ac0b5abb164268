import Model
package import NIOCore
import NIOPosix
import Synchronization
import SystemPackage

/// The answer to a synchronous run, still on disk.
package struct RunAnswer: Sendable {
    static let outputName = "stdout"
    static let errorName = "stderr"
    private static let chunk = 192 << 10

    private enum Content: Sendable {
        /// Text before, then files as they are, then text after.
        case plain(before: String, files: [Folder.FoundFile], after: String)
        case base64(Folder.FoundFile)
        case archive([Folder.FoundFile], isBase64: Bool)
    }

    private let content: Content
    private let folder: WorkFolder
    private let keeper: FolderKeeper
    package let contentType: String
    /// The script failed; the answer is what it wrote.
    package let isFailure: Bool

    /// `exit status N`, then what the script wrote to both streams (supervisor.md section 10).
    init(failure: JobFailure, folder: WorkFolder) {
        self.folder = folder
        keeper = FolderKeeper(folder)
        isFailure = true
        contentType = Self.textType
        let files = [Self.errorName, Self.outputName].map { Self.file($0, in: folder) }
        content = .plain(before: Self.beginning(of: failure), files: files, after: "")
    }

    static let textType = "text/plain; charset=utf-8"

    /// Of an answer that is what the function wrote.
    static func outputType(_ form: RunDispatcher.Form) -> String {
        form == .bytes ? "application/octet-stream" : textType
    }

    /// The status and, where the script cannot have said it, the reason.
    static func beginning(of failure: JobFailure) -> String {
        let reason = failure.exitCode.map { $0 == 124 || $0 == 137 } ?? true ? "\(failure.message)\n" : ""
        return "exit status \(failure.exitCode ?? 1)\n" + reason
    }

    init(_ response: SynchronousResponse, _ files: [Folder.FoundFile], form: RunDispatcher.Form, folder: WorkFolder) {
        self.folder = folder
        keeper = FolderKeeper(folder)
        isFailure = false
        switch (response, form) {
        case (.scriptOutput, .bytes):
            content = .plain(before: "", files: [Self.file(Self.outputName, in: folder)], after: "")
            contentType = "application/octet-stream"
        case (.scriptOutput, .oscar):
            // OSCAR's supervisor prints the output, which adds a line feed.
            content = .plain(before: "", files: [Self.file(Self.outputName, in: folder)], after: "\n")
            contentType = Self.textType
        case (.file, .bytes):
            content = .plain(before: "", files: Array(files.prefix(1)), after: "")
            contentType = files.first.map { ContentType.guess(forName: $0.name) } ?? "application/octet-stream"
        case (.file, .oscar):
            content = files.first.map(Content.base64) ?? .plain(before: "", files: [], after: "")
            contentType = Self.textType
        case (.archive, .bytes):
            content = .archive(files, isBase64: false)
            contentType = "application/zip"
        case (.archive, .oscar):
            content = .archive(files, isBase64: true)
            contentType = Self.textType
        }
    }

    private static func file(_ name: String, in folder: WorkFolder) -> Folder.FoundFile {
        let path = folder.root.appending(name)
        return Folder.FoundFile(name: name, path: path, size: Folder.size(of: path))
    }

    /// In bytes, where it is known before the answer is made.
    package var length: Int? {
        switch content {
        case .plain(let before, let files, let after):
            before.utf8.count + after.utf8.count + files.reduce(0) { $0 + Int($1.size) }
        case .base64(let file): (Int(file.size) + 2) / 3 * 4 + 1
        case .archive: nil
        }
    }

    /// Hands the answer out, piece by piece, in order.
    package func write(to send: (ByteBuffer) async throws -> Void) async throws {
        switch content {
        case .plain(let before, let files, let after):
            if !before.isEmpty { try await send(ByteBuffer(string: before)) }
            for file in files { try await Self.read(file) { try await send(ByteBuffer(bytes: $0)) } }
            if !after.isEmpty { try await send(ByteBuffer(string: after)) }
        case .base64(let file):
            // The chunk is a multiple of three, so pieces can be encoded one by one.
            try await Self.read(file) { try await send(ByteBuffer(string: Base64.encode($0))) }
            try await send(ByteBuffer(string: "\n"))
        case .archive(let files, isBase64: false): try await ZipArchive.write(files, to: send)
        case .archive(let files, isBase64: true): try await writeEncoded(files, to: send)
        }
    }

    /// The answer in memory; `nil` where it is larger than that.
    package func kept(atMost limit: Int) async throws -> KeptAnswer? {
        if let length, length > limit { return nil }
        var bytes: [UInt8] = []
        do {
            try await write { piece in
                bytes.append(contentsOf: piece.readableBytesView)
                guard bytes.count <= limit else { throw TooLong() }
            }
        } catch is TooLong {
            return nil
        }
        return KeptAnswer(contentType: contentType, isFailure: isFailure, body: bytes)
    }

    private struct TooLong: Error {}

    private func writeEncoded(
        _ files: [Folder.FoundFile],
        to send: (ByteBuffer) async throws -> Void
    ) async throws {
        var rest: [UInt8] = []
        try await ZipArchive.write(files) { piece in
            rest.append(contentsOf: piece.readableBytesView)
            let whole = rest.count / 3 * 3
            if whole > 0 { try await send(ByteBuffer(string: Base64.encode(rest[..<whole]))) }
            rest.removeFirst(whole)
        }
        try await send(ByteBuffer(string: Base64.encode(rest) + "\n"))
    }

    private static func read(
        _ file: Folder.FoundFile,
        _ take: ([UInt8]) async throws -> Void
    ) async throws {
        var offset: Int64 = 0
        while offset < file.size {
            let (path, start) = (file.path, offset)
            let count = Int(min(Int64(chunk), file.size - offset))
            let bytes = try await Folder.offload { try Folder.read(path, from: start, exactly: count) }
            try await take(bytes)
            offset += Int64(bytes.count)
        }
    }

    /// Removes what the run left on disk.
    ///
    /// To be called once, when the answer was read or is not wanted.
    package func discard() async {
        keeper.isRemoved.store(true, ordering: .relaxed)
        try? await folder.remove()  // What stays is removed at the next start.
    }
}

/// Removes the folder of an answer that nobody discarded: the client went away before it was written.
private final class FolderKeeper: Sendable {
    private let folder: WorkFolder
    let isRemoved = Atomic(false)

    init(_ folder: WorkFolder) { self.folder = folder }

    deinit {
        guard !isRemoved.load(ordering: .relaxed) else { return }
        let root = folder.root
        // What stays is removed at the next start.
        NIOThreadPool.singleton.submit { _ in try? Folder.remove(root) }
    }
}
