import DurableSQLite
import Glibc
import Logging
import Model
import NIOCore
import SystemPackage
import Testing

@testable import ObjectEngine

private let objectCount = getenv("APUS_SCALE").flatMap { Int(String(cString: $0)) } ?? 0

/// A measurement, no test: 1,000,000 objects in one bucket and 10,000 buckets.
///
/// Runs where APUS_SCALE names a number of objects, and prints what it saw:
/// `APUS_ONLY=ObjectEngine APUS_SCALE=1000000 swift test --filter ScaleMeasurement`.
@Suite(.enabled(if: objectCount > 0, "APUS_SCALE names no number of objects"))
struct ScaleMeasurement {
    @Test func manyObjectsAndManyBuckets() async throws {
        let directory = try TemporaryDirectory()
        let store = try await ObjectStore.open(in: directory, durability: .batch)
        _ = try await store.createBucket(videos, owner: "o")
        let filling = try await measured { try await fill(store) }
        report("objects put a second", Double(objectCount) / filling)
        let buckets = try await measured { try await makeBuckets(store) }
        report("buckets made a second", 10_000 / buckets)
        report("resident MiB, filled", residentMemory())
        let listingBuckets = try await measured { () async throws in #expect(try await store.buckets().count == 10_001)
        }
        report("ms for the list of buckets", listingBuckets * 1000)
        for place in [0, objectCount / 2, objectCount - 1001] {
            let after = place == 0 ? nil : key(place)
            var best = Double.infinity
            for _ in 0..<5 {
                best = min(
                    best,
                    try await measured { () async throws in
                        let page = try await store.list(bucket: videos, after: after)
                        #expect(page.objects.count == 1000)
                    }
                )
            }
            report("ms for a page behind object \(place)", best * 1000)
        }
        let folders = try await measured { () async throws in
            let page = try await store.list(bucket: videos, delimiter: "/")
            #expect(page.commonPrefixes.count == min(1000, (objectCount + 999) / 1000))
        }
        report("ms for a page of common prefixes", folders * 1000)
        let found = try await measured { () async throws in
            for number in 0..<1000 {
                let name = key(number * 7919 % objectCount)
                #expect(try await store.find(objectKey(name), in: videos)?.isInMemory == true)
            }
        }
        report("µs for a look-up with content", found * 1000)
        report("resident MiB, read", residentMemory())
        await store.close()
        let opening = try await measured { () async throws in
            let again = try await ObjectStore.open(in: directory)
            #expect(try await again.statistics().objects == objectCount)
            await again.close()
        }
        report("ms to open, count and close", opening * 1000)
        let size = try OpenFile(directory.path + "/index.sqlite", O_RDONLY, permissions: 0, probe: nil).status().st_size
        report("MiB of index", Double(size) / 1_048_576)
    }

    private func key(_ number: Int) -> String {
        let text = String(number)
        let padded = String(repeating: "0", count: 9 - text.count) + text
        return "\(padded.prefix(6))/\(padded.suffix(3))"
    }

    private func fill(_ store: ObjectStore) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<64 {
                group.addTask {
                    for number in stride(from: lane, to: objectCount, by: 64) {
                        let staged = store.stage()
                        try await staged.write(ByteBuffer(repeating: 7, count: 100))
                        _ = try await store.put(
                            staged,
                            as: objectKey(key(number)),
                            in: videos,
                            attributes: ObjectAttributes(),
                            origin: origin
                        )
                        if number % 50_000 == 0 { try await store.discardEvents(through: Int64(number)) }
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private func makeBuckets(_ store: ObjectStore) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for lane in 0..<64 {
                group.addTask {
                    for number in stride(from: lane, to: 10_000, by: 64) {
                        _ = try await store.createBucket(bucketName("bucket-\(number)"), owner: "o")
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    /// In seconds.
    private func measured(_ body: () async throws -> Void) async throws -> Double {
        let begun = ContinuousClock.now
        try await body()
        return begun.duration(to: .now) / .seconds(1)
    }

    private func residentMemory() -> Double {
        let pages = (try? contents(of: "/proc/self/statm")).map { String(decoding: $0, as: UTF8.self) } ?? ""
        return (Double(pages.split(separator: " ").dropFirst().first ?? "") ?? 0) * 4096 / 1_048_576
    }

    private func report(_ what: String, _ value: Double) {
        print("scale: \(what): \((value * 100).rounded() / 100)")
    }
}
