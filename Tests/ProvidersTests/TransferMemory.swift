import S3Client
import Synchronization

/// Remembers between tries what a delivery would keep on disk.
final class TransferMemory: Sendable {
    private struct State {
        var upload: String?
        var parts: [Int: String] = [:]
    }

    private let state = Mutex(State())

    func record(mayHaveArrived: Bool) -> UploadRecord {
        let known = state.withLock { $0 }
        return UploadRecord(
            token: "0123456789abcdef", mayHaveArrived: mayHaveArrived, upload: known.upload, parts: known.parts,
            setUpload: { upload, _ in self.state.withLock { $0 = State(upload: upload) } },
            addPart: { number, eTag in self.state.withLock { $0.parts[number] = eTag } }
        )
    }
}
