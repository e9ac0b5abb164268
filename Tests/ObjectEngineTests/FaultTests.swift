import DurableSQLite
import Model
import Synchronization
import SystemPackage
import TestKit
import Testing

@testable import ObjectEngine

/// Lets one step of the store fail, or the whole process die before it.
final class FaultProbe: FileSystemProbe {
    enum Fault: Sendable {
        case none
        /// From this step on nothing happens any more: the process is dead.
        case crash
        /// This one step fails.
        case fail(Errno)
        /// Writes get one byte a call.
        case shortWrites
    }

    private struct State {
        var count = 0
        var isDead = false
        var isPaused = false
        var failed: FileSystemStep?
    }

    private let fault: Fault
    private let at: Int
    private let state = Mutex(State())

    init(_ fault: Fault, at step: Int = 0) {
        self.fault = fault
        at = step
    }

    /// How many steps there were.
    var count: Int { state.withLock { $0.count } }
    var isDead: Bool { state.withLock { $0.isDead } }
    /// The step that was made to fail.
    var failed: FileSystemStep? { state.withLock { $0.failed } }

    func willDo(_ step: FileSystemStep) throws(Errno) -> Int? {
        let errno = state.withLock { state -> Errno? in
            guard !state.isDead else { return .ioError }
            guard !state.isPaused else { return nil }
            state.count += 1
            guard state.count == at else { return nil }
            switch fault {
            case .none, .shortWrites: return nil
            case .crash:
                state.isDead = true
                state.failed = step
                return .ioError
            case .fail(let errno):
                state.failed = step
                return errno
            }
        }
        if let errno { throw errno }
        if case .shortWrites = fault { return 4099 }
        return nil
    }

    func didDo(_ step: FileSystemStep) {}

    /// Lets everything happen while `body` looks.
    func paused<T>(_ body: () async throws -> T) async throws -> T {
        state.withLock { $0.isPaused = true }
        defer { state.withLock { $0.isPaused = false } }
        return try await body()
    }
}

@Suite struct FaultTests {
    /// Runs the script until a step fails on a dead store.
    ///
    /// - Returns: what was acknowledged, and the step that was not, if any.
    private func run(
        _ store: ObjectStore,
        _ directory: TemporaryDirectory,
        _ probe: FaultProbe
    ) async throws -> (StoreContents, unfinished: Workload.Step?) {
        var done = StoreContents()
        for step in Workload.steps {
            do { try await step.run(store) } catch {
                if probe.isDead { return (done, step) }
                throw error
            }
            done.apply(step)
            // What goes on in the background has its place among the steps too.
            await store.reclaimSpace()
            if !probe.isDead {
                try await eventually("staging is empty") { try probe.isDead || directory.stagedFiles().isEmpty }
            }
        }
        return (done, nil)
    }

    private func steps() async throws -> Int {
        let directory = try TemporaryDirectory(inMemory: true)
        let probe = FaultProbe(.none)
        let store = try await ObjectStore.open(in: directory, durability: .always, probe: probe)
        _ = try await store.createBucket(videos, owner: "o")
        _ = try await run(store, directory, probe)
        await store.close()
        return probe.count
    }

    @Test(.timeLimit(.minutes(5))) func aCrashBetweenAnyTwoStepsLosesNothing() async throws {
        let last = try await steps() + 2
        var seen: Set<String> = []
        for at in 1...last {
            let directory = try TemporaryDirectory(inMemory: true)
            do {
                let store = try await ObjectStore.open(in: directory, durability: .never)
                _ = try await store.createBucket(videos, owner: "o")
                await store.close()
            }
            let probe = FaultProbe(.crash, at: at)
            var (done, unfinished) = (StoreContents(), Workload.Step?.none)
            let comment: Comment
            do {
                let store = try await ObjectStore.open(in: directory, durability: .always, probe: probe)
                (done, unfinished) = try await run(store, directory, probe)
                await store.close()
            } catch {
                // Dead before the store was open.
                #expect(probe.isDead, "\(error)")
            }
            comment = "dead at step \(at), \(probe.failed.map { "\($0)" } ?? "-"), in \(unfinished?.name ?? "-")"
            if let failed = probe.failed { seen.insert(Self.kind(failed)) }
            let again = try await ObjectStore.open(in: directory, durability: .always)
            let isBefore = try await done.isHeld(by: again)
            var isAfter = false
            if let unfinished { isAfter = try await done.applying(unfinished).isHeld(by: again) }
            #expect(isBefore || isAfter, comment)
            await again.reclaimSpace()
            #expect(try await directory.leftovers(of: again) == [], comment)
            try await again.put([1], as: "afterwards")
            await again.close()
        }
        #expect(seen.isSuperset(of: Self.kinds))
    }

    @Test(.timeLimit(.minutes(5)), arguments: [Errno.ioError, .noSpace])
    func aFailureOfAnyStepFailsItsWriteAlone(errno: Errno) async throws {
        let last = try await steps() + 2
        for at in 1...last {
            let directory = try TemporaryDirectory(inMemory: true)
            let probe = FaultProbe(.fail(errno), at: at)
            guard let store = try? await ObjectStore.open(in: directory, durability: .always, probe: probe),
                (try? await store.createBucket(videos, owner: "o")) != nil
            else { continue }
            var done = StoreContents()
            for step in Workload.steps {
                let comment: Comment = "step \(at), \(probe.failed.map { "\($0)" } ?? "-"), in \(step.name)"
                do {
                    try await step.run(store)
                    done.apply(step)
                } catch let error as ObjectStoreError where error.code != .noSuchKey {
                    if errno == .noSpace, probe.failed != .endTransaction {
                        #expect(error.code == .storageFull, comment)
                    }
                    // The end of a transaction fails after the fact.
                    let after = done.applying(step)
                    if probe.failed == .endTransaction, try await probe.paused({ try await after.isHeld(by: store) }) {
                        done = after
                    }
                } catch {
                    // A source that an earlier failure left out.
                }
                let isHeld = try await probe.paused { try await done.isHeld(by: store) }
                #expect(isHeld, comment)
                await store.reclaimSpace()
            }
            await store.close()
            let again = try await ObjectStore.open(in: directory, durability: .always)
            await again.reclaimSpace()
            let comment: Comment = "step \(at), \(probe.failed.map { "\($0)" } ?? "-")"
            #expect(try await done.isHeld(by: again), comment)
            #expect(try await directory.leftovers(of: again) == [], comment)
            await again.close()
        }
    }

    @Test func aSyncThatFailsFailsItsWrite() async throws {
        for at in 1...60 {
            let directory = try TemporaryDirectory(inMemory: true)
            let probe = FaultProbe(.fail(.ioError), at: at)
            guard let store = try? await ObjectStore.open(in: directory, durability: .always, probe: probe),
                (try? await store.createBucket(videos, owner: "o")) != nil
            else { continue }
            let record = try? await store.put(Workload.large, as: "key")
            let isSync =
                switch probe.failed {
                case .synchronize, .synchronizeDirectory: true
                default: false
                }
            if isSync { #expect(record == nil, "step \(at)") }
            // Not later either.
            #expect(try await (store.object(objectKey("key"), in: videos) != nil) == (record != nil))
            await store.close()
        }
    }

    @Test func shortWritesAreGoneOnWith() async throws {
        let directory = try TemporaryDirectory(inMemory: true)
        let probe = FaultProbe(.shortWrites)
        let store = try await ObjectStore.open(in: directory, durability: .always, probe: probe)
        _ = try await store.createBucket(videos, owner: "o")
        let (done, _) = try await run(store, directory, probe)
        #expect(try await done.isHeld(by: store))
        await store.close()
    }

    private static let kinds: Set<String> = [
        "create", "write", "synchronize", "synchronizeDirectory", "link", "remove", "beginTransaction",
        "endTransaction",
    ]

    private static func kind(_ step: FileSystemStep) -> String {
        String("\(step)".prefix { $0 != "(" })
    }
}
