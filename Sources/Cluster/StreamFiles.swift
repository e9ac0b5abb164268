import Model
import Sandboxes
import Synchronization
import SystemPackage

/// The two output streams of a run, each in a file of a bounded size.
final class StreamFiles: Sendable {
    private struct Stream {
        var written: Int64 = 0
        var isFull = false
    }

    /// The output can be the answer, and has more room than what is said about it.
    private static let outputFactor: Int64 = 16

    private let output: SystemPackage.FileDescriptor
    private let error: SystemPackage.FileDescriptor
    private let limits: (output: ByteCount, error: ByteCount)
    private let state = Mutex((output: Stream(), error: Stream()))

    init(in folder: FilePath, limit: ByteCount) throws {
        func open(_ name: String) throws -> SystemPackage.FileDescriptor {
            try FileDescriptor.open(
                folder.appending(name), .writeOnly, options: [.create, .truncate, .closeOnExec],
                permissions: [.ownerReadWrite]
            )
        }
        let isHuge = limit.bytes > Int64.max / Self.outputFactor
        limits = (isHuge ? limit : ByteCount(limit.bytes * Self.outputFactor), limit)
        output = try open(RunAnswer.outputName)
        error = try open(RunAnswer.errorName)
    }

    /// Why the run has failed though its script ended well: an answer must not be cut short in silence.
    var overflow: JobFailure? {
        guard state.withLock({ $0.output.isFull }) else { return nil }
        return JobFailure(
            .output,
            message: "the script wrote more than \(limits.output) to its standard output; write files to "
                + "$TMP_OUTPUT_DIR instead")
    }

    func append(_ piece: SandboxOutput) async {
        let isOutput = piece.stream == .standardOutput
        let file = isOutput ? output : error
        let bytes = state.withLock { state in
            isOutput
                ? Self.room(for: piece.bytes, in: &state.output, limits.output)
                : Self.room(for: piece.bytes, in: &state.error, limits.error)
        }
        guard !bytes.isEmpty else { return }
        // A disk that is full shortens the answer; the script itself is told by its own writes.
        _ = try? await Folder.offload { _ = try file.writeAll(bytes) }
    }

    /// What is still to be written of a piece, with a last line where the limit is reached.
    private static func room(for bytes: [UInt8], in stream: inout Stream, _ limit: ByteCount) -> [UInt8] {
        guard !stream.isFull else { return [] }
        let room = Int(clamping: limit.bytes - stream.written)
        stream.written += Int64(min(room, bytes.count))
        guard bytes.count > room else { return bytes }
        stream.isFull = true
        return Array(bytes.prefix(room))
            + Array("\nApus: the output has reached its limit of \(limit); what follows is not kept\n".utf8)
    }

    func close() {
        try? output.close()  // All was written; nothing can be lost.
        try? error.close()
    }
}
