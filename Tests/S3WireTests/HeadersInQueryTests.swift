import S3Wire
import Testing

@Suite struct HeadersInQueryTests {
    private func headers(_ query: String, _ given: [(name: String, value: String)] = []) throws -> [String: String] {
        let request = try ReceivedRequest(method: "PUT", target: "/bucket/key?\(query)", headers: given)
        let merged = request.withHeadersOfQuery.headers
        return Dictionary(merged.map { ($0.name, $0.value) }) { "\($0)|\($1)" }
    }

    @Test(arguments: ["X-Amz-Signature=0", "AWSAccessKeyId=a&Expires=1&Signature=0"])
    func linksCarryHeadersWhateverTheirCase(mark: String) throws {
        let found = try headers("x-amz-meta-a=1&X-Amz-Meta-B=%C3%BC&X-Amz-Acl=public-read&\(mark)")
        #expect(found == ["x-amz-meta-a": "1", "x-amz-meta-b": "ü", "x-amz-acl": "public-read"])
    }

    @Test func onlyLinksDo() throws {
        #expect(try headers("x-amz-meta-a=1").isEmpty)
        #expect(try headers("x-amz-meta-a=1", [("authorization", "AWS4")]) == ["authorization": "AWS4"])
    }

    @Test func aHeaderWins() throws {
        let found = try headers("X-Amz-Acl=public-read&X-Amz-Signature=0", [("x-amz-acl", "private")])
        #expect(found == ["x-amz-acl": "private"])
    }

    @Test(arguments: [
        "X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders",
        "X-Amz-Security-Token", "X-Amz-Content-Sha256", "x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm",
        "x-amz-trailer", "x-amz-decoded-content-length", "prefix", "x-id", "Content-Type",
    ])
    func theRestIsNoHeader(name: String) throws {
        #expect(try headers("\(name)=x&X-Amz-Signature=0").isEmpty)
    }
}
