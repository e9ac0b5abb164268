import LoopbackServer
import Model
import SystemPackage
import Testing

@testable import Identity

@Suite struct SelfSignedCertificateTests {
    private let subject = SelfSignedCertificate.Subject(names: ["localhost", "host"], addresses: [[127, 0, 0, 1]])
    private let now = Instant(seconds: 1_800_000_000)

    private func make(
        in folder: FilePath,
        _ subject: SelfSignedCertificate.Subject? = nil,
        at now: Instant? = nil
    ) throws -> SelfSignedCertificate {
        try SelfSignedCertificate(in: folder, for: subject ?? self.subject, now: now ?? self.now)
    }

    @Test func isMadeOnceAndAgainWhereItMustBe() async throws {
        try await TemporaryFolder.with { folder in
            let first = try make(in: folder)
            #expect(first.isNew && first.fingerprint.count == 95)
            #expect(mode(of: first.key) == 0o600)
            let second = try make(in: folder)
            #expect(!second.isNew && second.fingerprint == first.fingerprint)
            // 31 days before its end it holds, 29 days before it does not.
            #expect(try !make(in: folder, at: now + .seconds(334 * 86_400)).isNew)
            #expect(try make(in: folder, at: now + .seconds(336 * 86_400)).isNew)
            #expect(try make(in: folder, .init(names: ["localhost"], addresses: [])).isNew)
            // A key that does not fit.
            let key = try read(first.key)
            _ = try make(in: folder)
            try write(key, to: first.key)
            #expect(try make(in: folder).isNew)
            try write("nonsense", to: first.certificate)
            #expect(try make(in: folder).isNew)
            #expect(try !make(in: folder).isNew)
        }
    }
}
