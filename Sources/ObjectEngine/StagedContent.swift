package import NIOCore
import Synchronization

/// Content that a client sends, before it belongs to an object.
///
/// Write all bytes, finish, look at the summary, then give it to one of the store's methods that take it,
/// once. Content that is dropped or discarded leaves nothing behind. Calls must follow one another. While bytes are
/// hashed and written, the next ones are collected; memory stays below a MiB.
package final class StagedContent: Sendable {
    let files: ContentFiles
    private let state: Mutex<State>

    init(files: ContentFiles, intake: Intake) {
        self.files = files
        state = Mutex(.open(intake))
    }

    deinit {
        remove(state.withLock { $0 })
    }

    /// Takes the next bytes; returns when there is room for more.
    ///
    /// - Throws: `storageFull`, `io`, also of bytes that came before; nothing of the content is kept then.
    package func write(_ buffer: ByteBuffer) async throws(ObjectStoreError) {
        guard summary == nil else {
            throw ObjectStoreError(.misuse, "staged content was written to after its end")
        }
        guard !collect(buffer) else { return }
        var intake = try await beginWork()
        intake.add(buffer)
        guard intake.isFull else { return endWork(.open(intake)) }
        endWork(.flushing(Flush(intake, in: files), next: []))
    }

    /// Keeps bytes for later, where others are being written and there is room.
    private func collect(_ buffer: ByteBuffer) -> Bool {
        state.withLock { state in
            guard case .flushing(let flush, var next) = state,
                next.reduce(buffer.readableBytes, { $0 + $1.readableBytes }) < Intake.flushSize
            else { return false }
            state = .busy  // Lets go of `next`, which is not copied then.
            next.append(buffer)
            state = .flushing(flush, next: next)
            return true
        }
    }

    /// Says that all bytes came.
    ///
    /// Later calls give the same summary.
    ///
    /// - Throws: as `write`.
    @discardableResult
    package func finish() async throws(ObjectStoreError) -> ContentSummary {
        if let summary { return summary }
        var intake = try await beginWork()
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
        let given = state.withLock { state in
            let given = state
            if case .busy = state {} else { state = .taken }
            return given
        }
        remove(given)
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
        let intake = try await beginWork()
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
        let intake = try await beginWork()
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

    /// Takes the intake out, so that two calls at once cannot both work on it; waits for what is being written.
    private func beginWork() async throws(ObjectStoreError) -> Intake {
        let given = state.withLock { state in
            let given = state
            if case .taken = state {} else { state = .busy }
            return given
        }
        switch given {
        case .open(let intake), .finished(let intake, _): return intake
        case .flushing(let flush, let next):
            do throws(ObjectStoreError) {
                var intake = try await flush.end()
                for buffer in next { intake.add(buffer) }
                return intake
            } catch {
                fail(flush.begun)
                throw error
            }
        case .busy, .taken:
            throw ObjectStoreError(.misuse, "staged content was used by two at once, or after it was taken")
        }
    }

    private func endWork(_ next: State) { state.withLock { $0 = next } }

    private func fail(_ intake: Intake) {
        endWork(.taken)
        files.discard(intake.id, open: intake.file)
    }

    private func remove(_ given: State) {
        switch given {
        case .open(let intake), .finished(let intake, _):
            if let file = intake.file { files.discard(intake.id, open: file) }
        case .flushing(let flush, _):
            let id = flush.begun.id
            flush.writing.abandon { [files] in files.discard(id, open: try? $0.get()) }
        case .busy, .taken: break
        }
    }

    /// The hashing and writing of what an intake has collected, on two threads of the store, side by side.
    private struct Flush: Sendable {
        /// The intake as it was before.
        let begun: Intake
        let hashing: PendingWork<Intake>
        let writing: PendingWork<OpenFile>

        init(_ intake: Intake, in files: ContentFiles) {
            begun = intake
            writing = files.begin { () throws(ObjectStoreError) in try intake.writeWaiting(in: files) }
            hashing = files.begin { () throws(ObjectStoreError) in
                var intake = intake
                intake.hashWaiting()
                return intake
            }
        }

        /// The intake afterwards; returns when neither is under way any more.
        func end() async throws(ObjectStoreError) -> Intake {
            let hashed = await hashing.result()
            let file = try await writing.result().get()
            var intake = try hashed.get()
            intake.hasWritten(to: file)
            return intake
        }
    }

    private enum State {
        case open(Intake)
        /// Bytes are hashed and written; these came since.
        case flushing(Flush, next: [ByteBuffer])
        case finished(Intake, ContentSummary)
        case busy
        case taken
    }
}
