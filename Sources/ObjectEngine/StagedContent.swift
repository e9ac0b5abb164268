package import NIOCore
import Synchronization

/// Content that a client sends, before it belongs to an object.
///
/// Write all bytes, finish, look at the summary, then give it to one of the store's methods that take it,
/// once. Content that is dropped or discarded leaves nothing behind. Calls must follow one another; memory
/// stays below half a MiB.
package final class StagedContent: Sendable {
    let files: ContentFiles
    private let state: Mutex<State>

    init(files: ContentFiles, intake: Intake) {
        self.files = files
        state = Mutex(.open(intake))
    }

    deinit {
        switch state.withLock({ $0 }) {
        case .open(let intake), .finished(let intake, _): removeFile(intake)
        case .busy, .taken: break
        }
    }

    /// Takes the next bytes; returns when there is room for more.
    ///
    /// - Throws: `storageFull`, `io`; nothing of the content is kept then.
    package func write(_ buffer: ByteBuffer) async throws(ObjectStoreError) {
        guard summary == nil else {
            throw ObjectStoreError(.misuse, "staged content was written to after its end")
        }
        var intake = try beginWork()
        intake.add(buffer)
        guard intake.isFull else { return endWork(.open(intake)) }
        try await work(intake) { [files] intake throws(ObjectStoreError) in try intake.flush(in: files) }
    }

    /// Says that all bytes came.
    ///
    /// Later calls give the same summary.
    ///
    /// - Throws: as `write`.
    @discardableResult
    package func finish() async throws(ObjectStoreError) -> ContentSummary {
        if let summary { return summary }
        var intake = try beginWork()
        let finished: (Intake, ContentSummary)
        do throws(ObjectStoreError) {
            if intake.isTiny {
                finished = (intake, try intake.finish(in: files))
            } else {
                let begun = intake
                finished = try await files.run { [files] () throws(ObjectStoreError) in
                    var intake = begun
                    let summary = try intake.finish(in: files)
                    return (intake, summary)
                }
            }
        } catch {
            fail(intake)
            throw error
        }
        intake = finished.0
        endWork(.finished(intake, finished.1))
        return finished.1
    }

    /// What was found out, once `finish` has returned.
    package var summary: ContentSummary? {
        guard case .finished(_, let summary) = state.withLock({ $0 }) else { return nil }
        return summary
    }

    /// Gives the content up and removes it.
    ///
    /// Does nothing once a store's method has taken it.
    package func discard() {
        let intake = state.withLock { state -> Intake? in
            switch state {
            case .open(let intake), .finished(let intake, _):
                state = .taken
                return intake
            case .busy, .taken:
                return nil
            }
        }
        if let intake { removeFile(intake) }
    }

    /// Puts the content in its place, durably, for the index to take over; small content goes there itself.
    ///
    /// The caller must then either let the index know the content or discard it.
    ///
    /// - `asFile`: whether to make a file of small content too.
    ///
    /// - Throws: `misuse` where it was taken before; as `write`.
    func settle(asFile: Bool = false) async throws(ObjectStoreError) -> (
        content: PlacedContent, summary: ContentSummary
    ) {
        let summary = try await finish()
        let intake = try beginWork()
        if !asFile, let bytes = intake.smallContent {
            endWork(.taken)
            return (PlacedContent(id: intake.id, place: .bytes(bytes, check: summary.check)), summary)
        }
        let files = files
        do throws(ObjectStoreError) {
            try await files.run { () throws(ObjectStoreError) in
                var intake = intake
                try intake.settle(in: files)
            }
        } catch {
            fail(intake)
            throw error
        }
        endWork(.taken)
        return (PlacedContent(id: intake.id, place: .file(check: summary.check)), summary)
    }

    /// Runs `body` on the intake on a thread of the store.
    func work(
        _ body: @escaping @Sendable (inout Intake) throws(ObjectStoreError) -> Void
    ) async throws(ObjectStoreError) {
        try await work(try beginWork(), body)
    }

    private func work(
        _ intake: Intake,
        _ body: @escaping @Sendable (inout Intake) throws(ObjectStoreError) -> Void
    ) async throws(ObjectStoreError) {
        do throws(ObjectStoreError) {
            let next = try await files.run { () throws(ObjectStoreError) in
                var intake = intake
                try body(&intake)
                return intake
            }
            endWork(.open(next))
        } catch {
            fail(intake)
            throw error
        }
    }

    /// Takes the intake out, so that two calls at once cannot both work on it.
    private func beginWork() throws(ObjectStoreError) -> Intake {
        let intake = state.withLock { state -> Intake? in
            switch state {
            case .open(let intake), .finished(let intake, _):
                state = .busy
                return intake
            case .busy, .taken:
                return nil
            }
        }
        guard let intake else {
            throw ObjectStoreError(.misuse, "staged content was used by two at once, or after it was taken")
        }
        return intake
    }

    private func endWork(_ next: State) { state.withLock { $0 = next } }

    private func fail(_ intake: Intake) {
        endWork(.taken)
        files.discard(intake.id, open: intake.file)
    }

    private func removeFile(_ intake: Intake) {
        guard let file = intake.file else { return }
        files.discard(intake.id, open: file)
    }

    private enum State {
        case open(Intake)
        case finished(Intake, ContentSummary)
        case busy
        case taken
    }
}
