import Dispatch
import Model
import ObjectEngine
import S3Wire
import Synchronization
import SystemPackage
import Testing

/// Does something once, before the store opens a content file to read or copy it.
private final class BeforeReading: FileSystemProbe {
    private let body = Mutex<(@Sendable () async -> Void)?>(nil)

    func once(_ body: @escaping @Sendable () async -> Void) { self.body.withLock { $0 = body } }

    func willDo(_ step: FileSystemStep) throws(Errno) -> Int? {
        let path: String
        switch step {
        case .open(let opened): path = opened
        case .link(let source, _): path = source
        default: return nil
        }
        guard path.contains("/content/"),
            let body = body.withLock({ body -> (@Sendable () async -> Void)? in
                defer { body = nil }
                return body
            })
        else { return nil }
        let done = DispatchSemaphore(value: 0)
        // Awaited below: this is one of the store's threads, which may block.
        Task {
            await body()
            done.signal()
        }
        done.wait()
        return nil
    }

    func didDo(_ step: FileSystemStep) {}
}

/// Objects that are replaced between the moment a request is let pass and the moment its object is read.
@Suite struct ReplacedMeanwhileTests {
    private static let open = pattern(40_000, seed: 1)
    private static let secret = pattern(40_000, seed: 2)

    /// Runs `body` with a bucket whose object `key` anybody may read, until the store opens its file: then it is
    /// replaced by a private one.
    private func run(_ body: @escaping @Sendable (S3Fixture) async throws -> Answer) async throws -> Answer? {
        let answers = Mutex<[Answer]>([])
        let probe = BeforeReading()
        try await S3Fixture.run(probe: probe) { s3 in
            try await s3.send("PUT", "/bucket/key", headers: ["x-amz-acl": "public-read"], body: Self.open).expect(200)
            try await s3.send("PUT", "/bucket", ["policy": ""], body: Self.policy).expect(204)
            probe.once {
                do {
                    try await s3.send("PUT", "/bucket/key", body: Self.secret).expect(200)
                } catch {
                    Issue.record(error)
                }
                await s3.store.reclaimSpace()
            }
            let answer = try await body(s3)
            answers.withLock { $0 = [answer] }
        }
        return answers.withLock { $0.first }
    }

    @Test func anonymousReadersAreJudgedAgain() async throws {
        let answer = try #require(try await run { s3 in try await s3.sendUnsigned("GET", "/bucket/key") })
        try answer.expect(403, .accessDenied)
        #expect(answer.body != Self.secret)
    }

    @Test func thoseWhoMayReadItGetTheNewOne() async throws {
        let answer = try #require(try await run { s3 in try await s3.send("GET", "/bucket/key") })
        #expect(try answer.expect(200).body == Self.secret)
    }

    @Test func sourcesOfAnonymousCopiesToo() async throws {
        let answer = try #require(
            try await run { s3 in
                let source = [(name: "x-amz-copy-source", value: "/bucket/key")]
                return try await s3.sendUnsigned("PUT", "/bucket/in/copy", headers: source)
            }
        )
        try answer.expect(403, .accessDenied)
    }

    /// Anybody may write below `in/`.
    private static let policy = Array(
        """
        {"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:PutObject",
        "Resource":"arn:aws:s3:::bucket/in/*"}]}
        """.utf8
    )
}
