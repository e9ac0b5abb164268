import DurableSQLite
import GRDB
import Glibc
import Model
import NIOCore
import Synchronization
import SystemPackage
import Testing

@testable import ObjectEngine

@Suite struct StoreVerifierTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory(inMemory: true) }

    final class Findings: Sendable {
        private let list = Mutex<[StoreFinding]>([])
        var all: [StoreFinding] { list.withLock { $0 } }
        func add(_ finding: StoreFinding) { list.withLock { $0.append(finding) } }
    }

    /// A store with content of all kinds.
    func fill() async throws -> [String: ObjectRecord] {
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        var records: [String: ObjectRecord] = [:]
        records["small"] = try await store.put(pattern(100), as: "small")
        records["empty"] = try await store.put([], as: "empty")
        for number in 0..<5 {
            records["large-\(number)"] = try await store.put(pattern(20_000 + number), as: "large-\(number)")
        }
        let upload = try await store.createUpload(
            of: objectKey("parts"), in: videos, attributes: ObjectAttributes(), origin: origin)
        let part = try await store.putPart(pattern(3000), number: 1, of: upload)
        records["parts"] = try await store.complete(upload, [part])
        let open = try await store.createUpload(
            of: objectKey("open"), in: videos, attributes: ObjectAttributes(), origin: origin)
        _ = try await store.putPart(pattern(50), number: 7, of: open)
        await store.close()
        return records
    }

    func verify(
        isExclusive: Bool = true,
        resuming: Bool = false,
        _ change: (StoreAccess) async throws -> Void = { _ in }
    ) async throws -> (report: VerificationReport, findings: [StoreFinding]) {
        let access = try await StoreAccess.open(at: FilePath(directory.path), isExclusive: isExclusive)
        try await change(access)
        let findings = Findings()
        let verifier = StoreVerifier(access, now: { clock.now() }, whenFound: { findings.add($0) })
        let report = try await verifier.run(resuming: resuming)
        await access.close()
        return (report, findings.all)
    }

    func quarantined() -> [String] {
        ((try? TemporaryDirectory.names(in: directory.path + "/quarantine")) ?? []).filter { $0 != "report.jsonl" }
    }

    @Test(arguments: [true, false]) func findsNothingInASoundStore(isExclusive: Bool) async throws {
        _ = try await fill()
        let (report, findings) = try await verify(isExclusive: isExclusive)
        #expect(findings == [])
        #expect(report.open == 0 && report.files == 7 && report.smallContents == 2 && report.unverifiable == 0)
        #expect(report.bytes == 20_000 * 5 + 10 + 3000 + 50)
    }

    @Test func findsAndSetsApartWhatIsDamaged() async throws {
        let records = try await fill()
        func path(_ name: String) throws -> String { directory.path(of: try #require(records[name]).content) }
        var bytes = try contents(of: path("large-0"))
        bytes[10] ^= 4
        try write(bytes, to: path("large-0"))
        try write(Array(bytes.prefix(99)), to: path("large-1"))
        try #require(unlink(path("large-2")) == 0)
        let (looked, seen) = try await verify(isExclusive: false)
        #expect(looked.open == 3 && seen.allSatisfy { $0.repair == nil })
        #expect(quarantined() == [])
        let (report, findings) = try await verify()
        #expect(Set(findings.map(\.kind)) == [.wrongBytes, .wrongSize, .missingContent])
        #expect(Set(findings.compactMap(\.key)) == ["large-0", "large-1", "large-2"])
        #expect(findings.allSatisfy { $0.bucket == "videos" && $0.isLoss })
        #expect(report.open == 3 && report.repaired == 2)
        #expect(Set(quarantined()) == Set(["large-0", "large-1"].compactMap { records[$0]?.content.text }))
        let lines = try contents(of: directory.path + "/quarantine/report.jsonl").split(separator: 10)
        #expect(lines.count == 2)
        for line in lines {
            #expect((try? JSONValue.parse(String(decoding: line, as: UTF8.self)))?.objectValue != nil)
        }
        // What is set apart is missing from now on, and everything else is served.
        let (again, _) = try await verify()
        #expect(again.findings == [.missingContent: 3])
        let store = try await ObjectStore.open(in: directory)
        #expect(try await store.bytes(of: "large-3") == pattern(20_003))
        let error = await #expect(throws: ObjectStoreError.self) { try await store.bytes(of: "large-0") }
        #expect(error?.code == .damaged)
        await store.close()
    }

    @Test func findsDamageInTheIndex() async throws {
        let records = try await fill()
        let (report, findings) = try await verify { access in
            try await access.write { index in
                try index.execute("UPDATE small_contents SET bytes = x'00' WHERE length(bytes) = 100", [])
                try index.execute("UPDATE buckets SET objects = 77, bytes = bytes - 1", [])
                try index.execute(
                    "INSERT INTO pieces (content, number, file, start, size) VALUES ('lost', 1, 'file', 0, 1)", [])
                try index.execute("INSERT INTO checks VALUES ('ffffffffffffffffffffffffffffffff', 1)", [])
                try index.execute(
                    "INSERT INTO small_contents VALUES ('eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee', 1, x'0102')", [])
            }
        }
        #expect(
            findings.map(\.kind).sorted { $0.rawValue < $1.rawValue } == [
                .unknownRow, .unknownRow, .unknownRow, .wrongBytes, .wrongBytes, .wrongCount,
            ])
        #expect(findings.contains { $0.key == "small" && $0.isLoss })
        #expect(report.repaired == 6 && report.open == 2)
        #expect(
            quarantined() == ["eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee", try #require(records["small"]).content.text].sorted())
        let (again, _) = try await verify()
        #expect(again.findings == [.wrongBytes: 1])
        let store = try await ObjectStore.open(in: directory)
        #expect(try await store.bucket(videos)?.objectCount == 8)
        await store.close()
    }

    @Test func setsApartWhatNobodyKnowsAndLeavesWhatIsOnItsWay() async throws {
        _ = try await fill()
        let unknown = "0123456789abcdef0123456789abcdef"
        let onItsWay = "0123456789abcdef0123456789abcd00"
        try write([9], to: "\(directory.path)/content/ef/\(unknown)")
        try write([9], to: "\(directory.path)/content/00/\(onItsWay)")
        try write([9], to: "\(directory.path)/staging/\(onItsWay)")
        try write([9], to: "\(directory.path)/content/00/README")
        let (looked, _) = try await verify(isExclusive: false)
        #expect(looked.findings == [.unknownFile: 2] && looked.open == 2)
        let (report, findings) = try await verify()
        #expect(Set(findings.compactMap(\.content)) == [unknown, "README"])
        #expect(report.open == 1)
        #expect(quarantined() == [unknown])
        #expect(try contents(of: "\(directory.path)/quarantine/\(unknown)") == [9])
    }

    @Test func provesFilesOfOlderStoresByTheirETag() async throws {
        let records = try await fill()
        let damaged = try #require(records["large-4"]).content
        try write(pattern(20_004, 99), to: directory.path(of: damaged))
        let (report, findings) = try await verify { access in
            try await access.write { try $0.execute("DELETE FROM checks", []) }
        }
        #expect(findings.map(\.kind) == [.wrongBytes] && findings[0].key == "large-4")
        // The piece of a finished upload has no ETag of its own any more.
        #expect(report.unverifiable == 1)
        let (again, _) = try await verify(isExclusive: false)
        #expect(again.unverifiable == 1 && again.findings == [.missingContent: 1])
    }

    @Test func anotherOneWaits() async throws {
        _ = try await fill()
        let access = try await StoreAccess.open(at: FilePath(directory.path), isExclusive: false)
        let lock = try await VerificationJournal(files: access.files).lock()
        let error = await #expect(throws: ObjectStoreError.self) { try await verify(isExclusive: false) }
        #expect(error?.code == .inUse)
        withExtendedLifetime(lock) {}
        await access.close()
    }

    @Test func earlierVersionsAreVerifiedToo() async throws {
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        try await store.setVersioning(enabled: true, of: videos)
        let first = try await store.put(pattern(20_000), as: "key")
        try await store.put(pattern(10), as: "key")
        try await store.put(pattern(30_000), as: "key")
        let upload = try await store.createUpload(
            of: objectKey("key"), in: videos, attributes: ObjectAttributes(), origin: origin)
        let part = try await store.putPart(pattern(3000), number: 1, of: upload)
        _ = try await store.complete(upload, [part])
        _ = try await store.delete([objectKey("key")], in: videos)
        await store.close()
        let (report, findings) = try await verify()
        #expect(findings == [])
        #expect(report.files == 3 && report.smallContents == 1)
        try write(pattern(20_000, 7), to: directory.path(of: first.content))
        let (again, _) = try await verify(isExclusive: false)
        #expect(again.findings == [.wrongBytes: 1])
    }

    @Test func aServerGoesOnBeside() async throws {
        _ = try await fill()
        let store = try await ObjectStore.open(in: directory)
        async let verified = verify(isExclusive: false)
        for number in 0..<50 {
            try await store.put(pattern(20_000), as: "new-\(number % 7)")
            if number % 5 == 0 { _ = try await store.delete([objectKey("new-\(number % 7)")], in: videos) }
        }
        #expect(try await verified.findings == [])
        await store.close()
    }

    @Test func thereMustBeAStore() async throws {
        let error = await #expect(throws: ObjectStoreError.self) {
            try await StoreAccess.open(at: FilePath(directory.path), isExclusive: true)
        }
        #expect(error?.code == .noStore)
        #expect(try TemporaryDirectory.names(in: directory.path) == [])
    }
}
