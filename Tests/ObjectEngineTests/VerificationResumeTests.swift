import GRDB
import Glibc
import Model
import Synchronization
import SystemPackage
import TestKit
import Testing

@testable import ObjectEngine

/// A verification that is broken off, and the one that goes on.
@Suite struct VerificationResumeTests {
    let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory(inMemory: true) }

    /// Seven large objects, of which four are damaged; a damaged small one; three unknown files; a wrong count.
    func fill() async throws {
        let store = try await ObjectStore.open(in: directory)
        _ = try await store.createBucket(videos, owner: "o")
        var large: [ObjectRecord] = []
        for number in 0..<7 { large.append(try await store.put(pattern(20_000 + number), as: "large-\(number)")) }
        try await store.put(pattern(77), as: "small")
        await store.close()
        for record in large.prefix(4) { try write([1], to: directory.path(of: record.content)) }
        for digit in ["a", "b", "c"] {
            let name = String(repeating: digit, count: 32)
            try write([2], to: "\(directory.path)/content/\(name.suffix(2))/\(name)")
        }
        let access = try await StoreAccess.open(at: FilePath(directory.path), isExclusive: true)
        try await access.write { index in
            try index.execute("UPDATE small_contents SET bytes = x'00'", [])
            try index.execute("UPDATE buckets SET objects = 99", [])
        }
        await access.close()
    }

    /// - `limit`: the verification is cancelled when it has told of so many findings.
    func verify(
        isExclusive: Bool,
        resuming: Bool = true,
        breakingOffAfter limit: Int = .max
    ) async throws -> (report: VerificationReport?, told: [StoreFinding]) {
        let access = try await StoreAccess.open(at: FilePath(directory.path), isExclusive: isExclusive)
        let told = Mutex<[StoreFinding]>([])
        let verifier = StoreVerifier(
            access,
            now: { clock.now() },
            whenFound: { finding in
                let count = told.withLock { list in
                    list.append(finding)
                    return list.count
                }
                if count == limit { withUnsafeCurrentTask { $0?.cancel() } }
            }
        )
        let run = Task { try await verifier.run(resuming: resuming) }
        let result = await run.result
        await access.close()
        switch result {
        case .success(let report): return (report, told.withLock { $0 })
        case .failure(let error as ObjectStoreError) where error.code == .closed: return (nil, told.withLock { $0 })
        case .failure(let error): throw error
        }
    }

    static let expected: [StoreFinding.Kind: Int] = [.wrongSize: 4, .wrongBytes: 1, .unknownFile: 3, .wrongCount: 1]

    /// Wherever it was broken off, the report is that of one run, and each finding was told to whoever resumed.
    @Test(arguments: [true, false], 1...8)
    func theReportIsOfTheWhole(isExclusive: Bool, findings: Int) async throws {
        try await fill()
        let (none, before) = try await verify(isExclusive: isExclusive, breakingOffAfter: findings)
        #expect(none == nil && before.count == findings)
        let (found, told) = try await verify(isExclusive: isExclusive)
        let report = try #require(found)
        #expect(report.findings == Self.expected)
        #expect(report.files == 7 && report.smallContents == 1)
        #expect(report.repaired == (isExclusive ? 9 : 0) && report.open == (isExclusive ? 5 : 9))
        #expect(told.count == 9 && Set(told.compactMap(\.content)).isSuperset(of: Set(before.compactMap(\.content))))
        // It is over: who resumes now begins anew.
        #expect(try TemporaryDirectory.names(in: directory.path).filter { $0.hasPrefix("verify.") } == [])
        let (again, _) = try await verify(isExclusive: isExclusive)
        #expect(again?.files == 7 && again?.open == (isExclusive ? 5 : 9))
    }

    @Test func interruptedAgainAndAgain() async throws {
        try await fill()
        for count in 1...8 {
            #expect(try await verify(isExclusive: true, breakingOffAfter: count).report == nil, "\(count)")
        }
        let report = try #require(try await verify(isExclusive: true).report)
        #expect(report.findings == Self.expected && report.open == 5)
    }

    /// Nothing is wrong behind the place, but something was before it.
    @Test func findingsBeforeTheInterruptionFailIt() async throws {
        try await fill()
        _ = try await verify(isExclusive: true, breakingOffAfter: 8)
        let (report, told) = try await verify(isExclusive: true)
        #expect(report?.open == 5 && told.filter(\.isLoss).count == 5)
    }

    @Test func withoutResumingItBeginsAnew() async throws {
        try await fill()
        _ = try await verify(isExclusive: false, breakingOffAfter: 3)
        let (report, told) = try await verify(isExclusive: false, resuming: false)
        #expect(report?.findings == Self.expected && told.count == 9)
    }

    static let malformed: [(place: String?, findings: String?)] = [
        ("", nil), ("nonsense", nil), ("1 0123456789abcdef0123456789abcdef\n", nil), ("{}", nil), ("[]", nil),
        ("{\"step\":1}", nil), (nil, ""), (nil, "nonsense\n"), (nil, "{}\n"),
        (nil, String(repeating: "x", count: 90_000)),
        (nil, "{\"kind\":\"wrong-size\",\"detail\":\"\"}\n"),
        (place(step: -1), nil), (place(step: 99), nil), (place(last: "../../etc"), nil), (place(files: -5), nil),
        (place(findings: 7), nil), (place(bytes: 1), nil), (place(bytes: .max), nil), (place(bytes: -1), nil),
        (String(repeating: "[", count: 5000), nil),
    ]

    static func place(
        step: Int = 1, last: String = "", files: Int = 1, findings: Int = 1, bytes: Int64 = 100
    ) -> String {
        "{\"step\":\(step),\"last\":\"\(last)\",\"files\":\(files),\"bytes\":1,\"smallContents\":0,"
            + "\"unverifiable\":0,\"findings\":\(findings),\"findingBytes\":\(bytes)}"
    }

    /// A place that cannot be trusted is none.
    @Test(arguments: malformed.indices) func malformedPlacesAreNotFollowed(index: Int) async throws {
        try await fill()
        _ = try await verify(isExclusive: false, breakingOffAfter: 2)
        let (place, findings) = Self.malformed[index]
        if let place { try write(Array(place.utf8), to: directory.path + "/verify.place") }
        if let findings { try write(Array(findings.utf8), to: directory.path + "/verify.findings") }
        let (report, told) = try await verify(isExclusive: false)
        #expect(report?.findings == Self.expected && report?.files == 7 && told.count == 9)
    }

    @Test func findingsComeBackFromTheirText() throws {
        for kind in StoreFinding.Kind.allCases {
            let finding = StoreFinding(
                kind: kind, bucket: "b", key: "\n\u{0}ü", content: nil, detail: "\"d\"", repair: "r")
            #expect(StoreFinding(json: try JSONValue.parse(finding.json.text())) == finding)
        }
        for text in ["{}", "[]", "{\"kind\":\"none\",\"detail\":\"\"}", "{\"kind\":\"unreadable\",\"detail\":3}"] {
            #expect(StoreFinding(json: try JSONValue.parse(text)) == nil)
        }
    }
}
