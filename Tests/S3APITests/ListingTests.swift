import Model
import S3Wire
import Testing

@Suite struct ListingTests {
    static let keys = ["a", "b/1", "b/2", "c/d/1", "e f+é", "\u{7F}x"]

    private func withKeys(_ body: @escaping @Sendable (S3Fixture) async throws -> Void) async throws {
        try await S3Fixture.run { s3 in
            for key in Self.keys {
                try await s3.send("PUT", "/bucket/\(PercentEncoding.encoded(key))", body: Array(key.utf8)).expect(200)
            }
            try await body(s3)
        }
    }

    private static func keys(_ list: XMLElement) -> [String?] { list.all("Contents").map { $0["Key"]?.text } }
    private static func prefixes(_ list: XMLElement) -> [String?] {
        list.all("CommonPrefixes").map { $0["Prefix"]?.text }
    }

    @Test func listsAll() async throws {
        try await withKeys { s3 in
            let list = try await s3.send("GET", "/bucket", ["list-type": "2"]).expect(200).xml()
            #expect(Self.keys(list) == ["a", "b/1", "b/2", "c/d/1", "e f+é", "\u{7F}x"])
            #expect(list["KeyCount"]?.text == "6")
            #expect(list["IsTruncated"]?.text == "false")
            #expect(list["NextContinuationToken"] == nil)
            let first = list["Contents"]
            #expect(first?["ETag"]?.text == "\"0cc175b9c0f1b6a831c399e269772661\"")
            #expect(first?["Size"]?.text == "1")
            #expect(first?["Owner"] == nil)
            let owned = try await s3.send("GET", "/bucket", ["list-type": "2", "fetch-owner": "true"]).xml()
            #expect(owned["Contents"]?["Owner"]?["DisplayName"]?.text == "somebody")
        }
    }

    @Test func groupsAndFilters() async throws {
        try await withKeys { s3 in
            var list = try await s3.send("GET", "/bucket", ["list-type": "2", "delimiter": "/"]).expect(200).xml()
            #expect(Self.keys(list) == ["a", "e f+é", "\u{7F}x"])
            #expect(Self.prefixes(list) == ["b/", "c/"])
            list = try await s3.send("GET", "/bucket", ["delimiter": "/", "prefix": "b/"]).xml()
            #expect(Self.keys(list) == ["b/1", "b/2"])
            #expect(list["Contents"]?["Owner"] != nil)
            list = try await s3.send("GET", "/bucket", ["list-type": "2", "start-after": "b/1"]).xml()
            #expect(Self.keys(list).first == "b/2")
            list = try await s3.send("GET", "/bucket", ["encoding-type": "url", "prefix": "e "]).xml()
            #expect(Self.keys(list) == ["e%20f%2B%C3%A9"])
            #expect(list["Prefix"]?.text == "e%20")
        }
    }

    @Test(arguments: [1, 2, 3, 5, 6, 7]) func pages(size: Int) async throws {
        try await withKeys { s3 in
            var (found, token, pages) = ([String](), String?.none, 0)
            repeat {
                let list =
                    if let token {
                        try await s3.send(
                            "GET", "/bucket", ["list-type": "2", "max-keys": "\(size)", "continuation-token": token]
                        ).expect(200).xml()
                    } else {
                        try await s3.send("GET", "/bucket", ["list-type": "2", "max-keys": "\(size)"]).xml()
                    }
                found += Self.keys(list).compactMap { $0 }
                token = list["NextContinuationToken"]?.text
                #expect(list["IsTruncated"]?.text == (token == nil ? "false" : "true"))
                pages += 1
            } while token != nil && pages < 20
            #expect(found == Self.keys)
            #expect(pages == (Self.keys.count + size - 1) / size)
        }
    }

    @Test func pagesOverGroupsInVersionOne() async throws {
        try await withKeys { s3 in
            var (found, marker, pages) = ([String](), "", 0)
            while pages < 20 {
                let list = try await s3.send(
                    "GET", "/bucket", ["max-keys": "1", "delimiter": "/", "marker": marker]
                ).expect(200).xml()
                found += (Self.keys(list) + Self.prefixes(list)).compactMap { $0 }
                pages += 1
                guard let next = list["NextMarker"]?.text else { break }
                marker = next
            }
            #expect(found == ["a", "b/", "c/", "e f+é", "\u{7F}x"])
        }
    }

    @Test func refusesBrokenParameters() async throws {
        try await S3Fixture.run { s3 in
            for query: KeyValuePairs<String, String> in [
                ["max-keys": "-1"], ["max-keys": "x"], ["max-keys": "99999999999999999999"],
                ["encoding-type": "base64"],
                ["list-type": "3"], ["list-type": "2", "continuation-token": "%"],
                ["list-type": "2", "continuation-token": "/w=="],
            ] {
                try await s3.send("GET", "/bucket", query).expect(400, .invalidArgument)
            }
            let none = try await s3.send("GET", "/bucket", ["max-keys": "0"]).expect(200).xml()
            #expect(none["IsTruncated"]?.text == "false")
            let many = try await s3.send("GET", "/bucket", ["max-keys": "5000"]).expect(200).xml()
            #expect(many["MaxKeys"]?.text == "1000")
            try await s3.send("GET", "/missing").expect(404, .noSuchBucket)
        }
    }

    @Test func deletesMany() async throws {
        try await withKeys { s3 in
            let long = String(repeating: "k", count: 1025)
            let body = """
                <Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object>\
                <Object><Key>e f+é</Key></Object><Object><Key>missing</Key></Object><Object><Key>\(long)</Key></Object></Delete>
                """
            let bytes = Array(body.utf8)
            let result = try await s3.send(
                "POST", "/bucket", ["delete": ""], headers: ["Content-MD5": Base64.encode(MD5Digest.of(bytes))],
                body: bytes
            ).expect(200).xml()
            #expect(result.all("Deleted").map { $0["Key"]?.text } == ["a", "e f+é", "missing"])
            #expect(result.all("Error").map { $0["Code"]?.text } == ["KeyTooLongError"])
            #expect(try await s3.objects().count == Self.keys.count - 2)
            let quiet = "<Delete><Quiet>true</Quiet><Object><Key>b/1</Key></Object></Delete>"
            let silent = try await s3.send("POST", "/bucket", ["delete": ""], body: Array(quiet.utf8)).expect(200)
            #expect(try silent.xml().children.isEmpty)
        }
    }

    @Test func refusesBrokenDeletions() async throws {
        try await withKeys { s3 in
            let good = Array("<Delete><Object><Key>a</Key></Object></Delete>".utf8)
            let before = try await s3.objects().count
            try await s3.send("POST", "/bucket", ["delete": ""], body: Array("<Delete>".utf8)).expect(
                400, .malformedXML)
            try await s3.send(
                "POST", "/bucket", ["delete": ""], headers: ["Content-MD5": Base64.encode(MD5Digest.of([1]))],
                body: good
            ).expect(400, .badDigest)
            try await s3.send(
                "POST", "/bucket", ["delete": ""], headers: ["x-amz-checksum-crc32": "AAAAAA=="], body: good
            ).expect(400, .badDigest)
            try await s3.send("POST", "/bucket", ["delete": ""], body: good, payload: .of([1]))
                .expect(400, .contentSHA256Mismatch)
            try await s3.send("POST", "/missing", ["delete": ""], body: good).expect(404, .noSuchBucket)
            #expect(try await s3.objects().count == before)
        }
    }
}
