import DurableSQLite
import Glibc
import Model
import SystemPackage
import TestKit
import Testing

@testable import ObjectEngine

/// What happens when the disk fails below SQLite itself.
@Suite struct IndexFaultTests {
    /// All faults at all steps, where somebody has the minutes; else at some of each kind, evenly spread.
    private static let isThorough = getenv("APUS_ALL_FAULTS") != nil
    private static let sample = 24

    private func newStore() async throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory(inMemory: true)
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        await store.close()
        return directory
    }

    /// The steps to let fail: of the kinds that the fault is for.
    private func places(_ fault: IndexDisk.Fault, _ durability: Durability) async throws -> [IndexDisk.Place] {
        let directory = try await newStore()
        let disk = IndexDisk(below: directory)
        defer { disk.remove() }
        let store = try await ObjectStore.open(in: directory, durability: durability)
        for step in Workload.steps { try await step.run(store) }
        let steps = disk.steps
        await store.close()
        #expect(Set(steps).isSuperset(of: [.open, .read, .write]))
        #expect(durability != .always || steps.contains(.synchronize))
        let isForWrites = fault == .full || fault == .short
        let kinds = isForWrites ? [.write] : IndexDisk.Step.allCases
        return kinds.flatMap { kind in
            let count = steps.count { $0 == kind }
            let taken = Self.isThorough ? count : min(count, Self.sample)
            return (0..<taken).map { IndexDisk.Place(kind: kind, number: $0 * count / taken + 1) }
        }
    }

    @Test(.timeLimit(.minutes(10)), arguments: [IndexDisk.Fault.error, .full, .short])
    func aFailureBelowTheIndexFailsItsWriteAlone(fault: IndexDisk.Fault) async throws {
        var seen: Set<IndexDisk.Step> = []
        for at in try await places(fault, .always) {
            let directory = try await newStore()
            let disk = IndexDisk(below: directory, fault, at: at)
            var done = StoreContents()
            if let store = try? await ObjectStore.open(in: directory, durability: .always) {
                for step in Workload.steps {
                    let failed = try await run(step, store, disk, &done)
                    let comment: Comment = "\(fault) at \(at), in \(step.name)"
                    if let failed { #expect(Self.isExpected(failed, fault), "\(failed.code), \(comment)") }
                    let now = done
                    #expect(try await disk.paused { try await now.isHeld(by: store) }, comment)
                }
                // Whether it comes to that, the check below finds out.
                _ = try? await store.put(Workload.small, as: "last")
                await store.close()
            }
            if let failed = disk.failed { seen.insert(failed) }
            disk.remove()
            try await check(
                [done, done.applying(Workload.put("last", Workload.small))], in: directory, "\(fault) at \(at)")
        }
        #expect(seen.isSuperset(of: fault == .error ? [.open, .read, .write, .synchronize] : [.write]))
    }

    /// Runs a step, and finds out whether it happened where it failed.
    ///
    /// - Returns: its error.
    private func run(
        _ step: Workload.Step,
        _ store: ObjectStore,
        _ disk: IndexDisk,
        _ done: inout StoreContents
    ) async throws -> ObjectStoreError? {
        do {
            try await step.run(store)
            done.apply(step)
            return nil
        } catch let error as ObjectStoreError {
            let after = done.applying(step)
            if try await disk.paused({ try await after.isHeld(by: store) }) { done = after }
            return error.code == .noSuchKey ? nil : error
        }
    }

    private static func isExpected(_ error: ObjectStoreError, _ fault: IndexDisk.Fault) -> Bool {
        // A full disk says so, that clients may wait for room; a broken one is none.
        fault == .full || fault == .short ? error.code == .storageFull : error.code == .io
    }

    @Test(.timeLimit(.minutes(10)), arguments: PowerCutProbe.Names.allCases)
    func aPowerCutAtAnyStepBelowTheIndexLosesNothing(names: PowerCutProbe.Names) async throws {
        var random = SeededGenerator(seed: 10)
        for at in try await places(.powerCut, .always) {
            let directory = try await newStore()
            let probe = try PowerCutProbe(names, cutAt: .max)
            let disk = IndexDisk(below: directory, .powerCut, at: at) { probe.die() }
            defer { disk.remove() }
            var states = [StoreContents()]
            guard let store = try? await ObjectStore.open(in: directory, durability: .always, probe: probe) else {
                continue
            }
            for step in Workload.steps {
                let next = states[states.count - 1].applying(step)
                do { try await step.run(store) } catch {
                    states.append(next)
                    break
                }
                states = [next]
            }
            let image = try TemporaryDirectory(inMemory: true)
            try probe.image(of: directory.path, in: image, logSize: nil, &random)
            try disk.image(in: image, losing: Bool.random(using: &random) ? .anything : .everything, &random)
            await store.close()
            try await check(states, in: image, "\(names) at \(at)")
        }
    }

    /// `batch`: what is lost is the end of what was done, and never a part of a step; what is left is whole, also what
    /// was deleted and comes back.
    @Test(.timeLimit(.minutes(10)), arguments: PowerCutProbe.Names.allCases)
    func batchLosesTheEndAndNoContent(names: PowerCutProbe.Names) async throws {
        var random = SeededGenerator(seed: 11)
        for round in 0..<(Self.isThorough ? 400 : 60) {
            let directory = try await newStore()
            let probe = try PowerCutProbe(names, cutAt: .max)
            let disk = IndexDisk(below: directory)
            defer { disk.remove() }
            probe.follow(disk)
            let store = try await ObjectStore.open(
                in: directory, durability: .batch, syncInterval: .seconds(3600), probe: probe)
            var states = [StoreContents()]
            var kept = 0
            let end = Int.random(in: 1...Workload.steps.count, using: &random)
            for step in Workload.steps.prefix(end) {
                try await step.run(store)
                states.append(states[states.count - 1].applying(step))
                switch Int.random(in: 0..<4, using: &random) {
                case 0:
                    try store.database.synchronizeLog()
                    kept = states.count - 1
                case 1: await store.reclaimSpace()
                default: break
                }
            }
            probe.die()
            disk.die()
            let image = try TemporaryDirectory(inMemory: true)
            try probe.image(of: directory.path, in: image, logSize: nil, &random)
            try disk.image(in: image, losing: Bool.random(using: &random) ? .anything : .everything, &random)
            await store.close()
            try await check(Array(states[kept...]), in: image, "round \(round), \(names), \(kept) of \(states.count)")
        }
    }

    /// Whether a store holds one of these states.
    private func check(_ states: [StoreContents], in directory: TemporaryDirectory, _ comment: Comment) async throws {
        let store = try await ObjectStore.open(in: directory, durability: .always)
        var isHeld = false
        for state in states where !isHeld { isHeld = try await state.isHeld(by: store) }
        #expect(isHeld, comment)
        await store.reclaimSpace()
        try await store.put([1], as: "afterwards")
        await store.close()
    }

    /// A deletion that nobody synced may be undone by a power cut; then its content must be there.
    @Test(arguments: PowerCutProbe.Names.allCases)
    func contentGoesOnlyBehindASyncedIndex(names: PowerCutProbe.Names) async throws {
        var random = SeededGenerator(seed: 12)
        let directory = try await newStore()
        let probe = try PowerCutProbe(names, cutAt: .max)
        let disk = IndexDisk(below: directory)
        defer { disk.remove() }
        probe.follow(disk)
        let store = try await ObjectStore.open(
            in: directory, durability: .batch, syncInterval: .seconds(3600), probe: probe)
        try await store.put(Workload.large, as: "key")
        try store.database.synchronizeLog()
        _ = try await store.delete([objectKey("key")], in: videos)
        await store.reclaimSpace()
        #expect(try directory.contentFiles().isEmpty)
        probe.die()
        disk.die()
        let image = try TemporaryDirectory(inMemory: true)
        probe.settleNames()
        try probe.image(of: directory.path, in: image, logSize: nil, &random)
        try disk.image(in: image, losing: .everything, &random)
        await store.close()
        let again = try await ObjectStore.open(in: image, durability: .batch)
        let left = try await again.object(objectKey("key"), in: videos)
        if let left { #expect(try await again.bytes(of: left) == Workload.large) }
        await again.close()
    }

    /// A log that could not be synced promises nothing any more.
    @Test func batchRefusesWritesBehindAFailedSync() async throws {
        let directory = try await newStore()
        let store = try await ObjectStore.open(
            in: directory, durability: .batch, syncInterval: .seconds(3600), probe: SyncFailure())
        try await store.put(Workload.small, as: "key")
        #expect(throws: DurableSQLiteError.self) { try store.database.synchronizeLog() }
        let error = await #expect(throws: ObjectStoreError.self) { try await store.put(Workload.small, as: "later") }
        #expect(error?.code == .io)
        #expect(try await store.bytes(of: "key") == Workload.small)
        await store.close()
    }
}

/// Lets the syncs of the index's log fail.
private struct SyncFailure: FileSystemProbe {
    func willDo(_ step: FileSystemStep) throws(Errno) -> Int? {
        if case .synchronize(let path) = step, path.hasSuffix("-wal") { throw .ioError }
        return nil
    }

    func didDo(_ step: FileSystemStep) {}
}
