import Crypto
import Model
import S3Wire
import Testing

/// Links that carry in their query what would be headers.
@Suite struct SignedLinkTests {
    @Test func whatTheQuerySaysIsKept() async throws {
        try await S3Fixture.run { s3 in
            let link = s3.presigned(
                "PUT", "/bucket/key",
                [
                    "x-amz-meta-colour": "deep blue ü", "X-Amz-Tagging": "a=1&b=2", "x-amz-acl": "public-read",
                    "x-amz-storage-class": "STANDARD_IA", "x-amz-website-redirect-location": "/there",
                    // As AWS's library for JavaScript writes it, which does not know the content.
                    "x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32",
                ]
            )
            try await s3.send("PUT", "/bucket", ["ownershipControls": ""], body: Self.ownership).expect(200)
            try await s3.sendUnsigned("PUT", link, body: [1, 2, 3]).expect(200)
            let head = try await s3.send("HEAD", "/bucket/key").expect(200)
            #expect(EncodedWords.decode(head.header("x-amz-meta-colour") ?? "") == "deep blue ü")
            #expect(head.header("x-amz-tagging-count") == "2")
            #expect(head.header("x-amz-storage-class") == "STANDARD_IA")
            #expect(head.header("x-amz-website-redirect-location") == "/there")
            try await s3.sendUnsigned("GET", "/bucket/key").expect(200)
        }
    }

    @Test func whatIsAddedToALinkIsRefused() async throws {
        try await S3Fixture.run { s3 in
            let link = s3.presigned("PUT", "/bucket/key")
            for more in ["x-amz-acl=public-read", "X-Amz-Meta-A=1", "x-amz-copy-source=bucket/other"] {
                try await s3.sendUnsigned("PUT", "\(link)&\(more)", body: [1]).expect(403, .signatureDoesNotMatch)
                let legacy = try Self.legacyLink("PUT", "/bucket/key", [])
                try await s3.sendUnsigned("PUT", "\(legacy)&\(more)", body: [1]).expect(403, .signatureDoesNotMatch)
            }
            let unsigned = [(name: "x-amz-acl", value: "public-read")]
            try await s3.sendUnsigned("PUT", link, headers: unsigned, body: [1]).expect(403, .accessDenied)
            #expect(try await s3.objects().isEmpty)
        }
    }

    @Test func linksOfVersionTwoToo() async throws {
        try await S3Fixture.run { s3 in
            let said = [("x-amz-meta-colour", "red"), ("x-amz-tagging", "a=1"), ("x-amz-checksum-crc32", "AAAAAA==")]
            let link = try Self.legacyLink("PUT", "/bucket/key", said)
            try await s3.sendUnsigned("PUT", link, body: [1, 2, 3]).expect(200)
            let head = try await s3.send("HEAD", "/bucket/key").expect(200)
            #expect(head.header("x-amz-meta-colour") == "red")
            #expect(head.header("x-amz-tagging-count") == "1")
            // Given as a header, it is that which counts, and which must be what was signed.
            let same = [(name: "x-amz-meta-colour", value: "red")]
            try await s3.sendUnsigned("PUT", link, headers: same, body: [1]).expect(200)
            let other = [(name: "x-amz-meta-colour", value: "blue")]
            try await s3.sendUnsigned("PUT", link, headers: other, body: [1]).expect(403, .signatureDoesNotMatch)
        }
    }

    @Test func aSourceInTheQueryMakesACopyAndIsAskedFor() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/source", body: [7]).expect(200)
            let link = s3.presigned("PUT", "/bucket/copy", ["x-amz-copy-source": "/bucket/source"])
            let answer = try await s3.sendUnsigned("PUT", link).expect(200)
            #expect(try answer.text("ETag") != nil)
            #expect(try await s3.send("GET", "/bucket/copy").expect(200).body == [7])
        }
    }

    @Test(arguments: ["x-amz-server-side-encryption", "X-Amz-Server-Side-Encryption-Customer-Algorithm"])
    func encryptionIsRefusedAsInHeaders(name: String) async throws {
        try await S3Fixture.run { s3 in
            let link = s3.presigned("PUT", "/bucket/key", [name: "AES256"])
            try await s3.sendUnsigned("PUT", link, body: [1]).expect(501, .notImplemented)
        }
    }

    private static let ownership = Array(
        """
        <OwnershipControls><Rule><ObjectOwnership>ObjectWriter</ObjectOwnership></Rule></OwnershipControls>
        """.utf8
    )

    /// Signs as version 2 does, all that is said in the query.
    private static func legacyLink(
        _ method: String,
        _ path: String,
        _ said: [(name: String, value: String)]
    ) throws -> String {
        let expires = S3Fixture.time.seconds + 60
        let own = said.sorted { $0.name < $1.name }.map { "\($0.name):\($0.value)\n" }.joined()
        let text = "\(method)\n\n\n\(expires)\n\(own)\(path)"
        let key = SymmetricKey(data: Array(S3Fixture.credentials.secretKey.utf8))
        let code = Array(HMAC<Insecure.SHA1>.authenticationCode(for: Array(text.utf8), using: key))
        let items = said.map { QueryItems.Item($0.name, $0.value) }
        let signature: [QueryItems.Item] = [
            .init("AWSAccessKeyId", "access"), .init("Expires", String(expires)),
            .init("Signature", Base64.encode(code)),
        ]
        return "\(path)?\(QueryItems(items + signature).canonicalText)"
    }
}
