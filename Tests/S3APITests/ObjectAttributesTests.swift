import HTTPTypes
import Model
import ObjectEngine
import S3Wire
import Testing

/// Tags, classes, redirects, user metadata and `GetObjectAttributes`.
@Suite struct ObjectAttributesTests {
    private static func tagging(_ tags: KeyValuePairs<String, String>) -> [UInt8] {
        let elements = tags.map { "<Tag><Key>\($0.key)</Key><Value>\($0.value)</Value></Tag>" }
        return Array("<Tagging><TagSet>\(elements.joined())</TagSet></Tagging>".utf8)
    }

    private static func tags(_ s3: S3Fixture, _ path: String, _ version: String? = nil) async throws -> [String] {
        let query: KeyValuePairs<String, String> =
            version.map { ["tagging": "", "versionId": $0] } ?? ["tagging": ""]
        let root = try await s3.send("GET", path, query).expect(200).xml()
        return root["TagSet"]?.all("Tag").map { "\($0["Key"]?.text ?? "")=\($0["Value"]?.text ?? "")" } ?? []
    }

    @Test func tagsComeAndGo() async throws {
        try await S3Fixture.run { s3 in
            let put = try await s3.send("PUT", "/bucket/key", headers: ["x-amz-tagging": "a=1&b=%C3%A9"], body: [1])
            let eTag = try put.expect(200).headers[.eTag]
            #expect(try await Self.tags(s3, "/bucket/key") == ["a=1", "b=é"])
            let get = try await s3.send("GET", "/bucket/key").expect(200)
            #expect(get.header("x-amz-tagging-count") == "2")
            try await s3.send("PUT", "/bucket/key", ["tagging": ""], body: Self.tagging(["c": ""])).expect(200)
            #expect(try await Self.tags(s3, "/bucket/key") == ["c="])
            let head = try await s3.send("HEAD", "/bucket/key").expect(200)
            #expect(head.header("x-amz-tagging-count") == "1" && head.headers[.eTag] == eTag)
            try await s3.send("DELETE", "/bucket/key", ["tagging": ""]).expect(204)
            #expect(try await Self.tags(s3, "/bucket/key").isEmpty)
            #expect(try await s3.send("HEAD", "/bucket/key").header("x-amz-tagging-count") == nil)
            #expect(try await s3.send("GET", "/bucket/key").body == [1])
        }
    }

    @Test func tagsAreOfOneVersion() async throws {
        try await S3Fixture.run { s3 in
            let versioning = VersioningConfiguration(status: .enabled).xml
            try await s3.send("PUT", "/bucket", ["versioning": ""], body: versioning).expect(200)
            let first = try #require(
                try await s3.send("PUT", "/bucket/key", headers: ["x-amz-tagging": "a=1"], body: [1])
                    .header("x-amz-version-id"))
            try await s3.send("PUT", "/bucket/key", body: [2]).expect(200)
            #expect(try await Self.tags(s3, "/bucket/key").isEmpty)
            #expect(try await Self.tags(s3, "/bucket/key", first) == ["a=1"])
            let put = try await s3.send(
                "PUT", "/bucket/key", ["tagging": "", "versionId": first], body: Self.tagging(["b": "2"]))
            #expect(try put.expect(200).header("x-amz-version-id") == first)
            #expect(try await Self.tags(s3, "/bucket/key", first) == ["b=2"])
            let marker = try #require(try await s3.send("DELETE", "/bucket/key").header("x-amz-version-id"))
            for method in ["GET", "PUT", "DELETE"] {
                let body = method == "PUT" ? Self.tagging(["b": "2"]) : []
                try await s3.send(method, "/bucket/key", ["tagging": ""], body: body).expect(404, .noSuchKey)
                try await s3.send(method, "/bucket/key", ["tagging": "", "versionId": marker], body: body)
                    .expect(405, .methodNotAllowed)
                try await s3.send(
                    method, "/bucket/key", ["tagging": "", "versionId": String(first.reversed())], body: body
                )
                .expect(404, .noSuchVersion)
            }
        }
    }

    @Test func refusesTags() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send("PUT", "/bucket/key", body: [1]).expect(200)
            for (header, code) in [
                ("a=%zz", S3ErrorCode.invalidArgument), ("a=1&a=2", .invalidArgument), ("a=<", .invalidTag),
                ((0..<11).map { "k\($0)=" }.joined(separator: "&"), .badRequest),
            ] {
                for (method, path, query) in [("PUT", "/bucket/key", [:]), ("POST", "/bucket/key", ["uploads": ""])]
                    as [(String, String, KeyValuePairs<String, String>)]
                {
                    try await s3.send(method, path, query, headers: ["x-amz-tagging": header]).expect(400, code)
                }
            }
            for (body, code) in [
                (Self.tagging(["a": "1", "a": "2"]), S3ErrorCode.invalidTag), ([], .malformedXML),
                (Self.tagging(["aws:a": "1"]), .invalidTag),
            ] {
                try await s3.send("PUT", "/bucket/key", ["tagging": ""], body: body).expect(400, code)
            }
            for method in ["GET", "DELETE"] {
                try await s3.send(method, "/bucket/none", ["tagging": ""]).expect(404, .noSuchKey)
            }
            #expect(try await Self.tags(s3, "/bucket/key").isEmpty)
        }
    }

    @Test func copiesTakeTagsAsDirected() async throws {
        try await S3Fixture.run { s3 in
            try await s3.send(
                "PUT", "/bucket/key",
                headers: [
                    "x-amz-tagging": "a=1", "x-amz-meta-m": "n", "x-amz-storage-class": "STANDARD_IA",
                    "x-amz-website-redirect-location": "/x",
                ],
                body: [1]
            ).expect(200)
            let source = ["x-amz-copy-source": "/bucket/key"]
            func copy(_ headers: [String: String]) async throws -> Answer {
                try await s3.send("PUT", "/bucket/copy", headers: source.merging(headers) { $1 }).expect(200)
                return try await s3.send("HEAD", "/bucket/copy").expect(200)
            }
            var head = try await copy([:])
            #expect(head.header("x-amz-meta-m") == "n" && head.header("x-amz-tagging-count") == "1")
            // Neither of them is copied.
            #expect(head.header("x-amz-storage-class") == nil)
            #expect(head.header("x-amz-website-redirect-location") == nil)
            head = try await copy(["x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "b=2&c=3"])
            #expect(head.header("x-amz-meta-m") == "n" && head.header("x-amz-tagging-count") == "2")
            head = try await copy(["x-amz-tagging-directive": "REPLACE", "x-amz-metadata-directive": "REPLACE"])
            #expect(head.header("x-amz-meta-m") == nil && head.header("x-amz-tagging-count") == nil)
            head = try await copy([
                "x-amz-metadata-directive": "REPLACE", "x-amz-storage-class": "GLACIER_IR",
                "x-amz-website-redirect-location": "https://example.org/",
            ])
            #expect(head.header("x-amz-tagging-count") == "1")
            #expect(head.header("x-amz-storage-class") == "GLACIER_IR")
            #expect(head.header("x-amz-website-redirect-location") == "https://example.org/")
            let odd = source.merging(["x-amz-tagging-directive": "MERGE"]) { $1 }
            try await s3.send("PUT", "/bucket/copy", headers: odd).expect(400, .invalidArgument)
            // Another class is change enough for a copy onto itself, other tags are not.
            try await s3.send(
                "PUT", "/bucket/key", headers: source.merging(["x-amz-tagging-directive": "REPLACE"]) { $1 }
            )
            .expect(400, .invalidRequest)
            try await s3.send("PUT", "/bucket/key", headers: source.merging(["x-amz-storage-class": "STANDARD"]) { $1 })
                .expect(200)
            #expect(try await s3.send("HEAD", "/bucket/key").header("x-amz-storage-class") == nil)
            #expect(try await Self.tags(s3, "/bucket/key") == ["a=1"])
        }
    }

    @Test func keepsClassAndRedirect() async throws {
        try await S3Fixture.run { s3 in
            for known in StorageClass.allCases {
                let headers = ["x-amz-storage-class": known.rawValue]
                try await s3.send("PUT", "/bucket/\(known.rawValue)", headers: headers, body: [1]).expect(200)
            }
            let list = try await s3.send("GET", "/bucket").expect(200).xml()
            #expect(list.all("Contents").allSatisfy { $0["Key"]?.text == $0["StorageClass"]?.text })
            for name in ["COLD", "standard", ""] {
                try await s3.send("PUT", "/bucket/key", headers: ["x-amz-storage-class": name])
                    .expect(400, .invalidStorageClass)
                try await s3.send("POST", "/bucket/key", ["uploads": ""], headers: ["x-amz-storage-class": name])
                    .expect(400, .invalidStorageClass)
            }
            for target in ["x", "ftp://x", "", "/\(String(repeating: "x", count: 2048))"] {
                try await s3.send("PUT", "/bucket/key", headers: ["x-amz-website-redirect-location": target])
                    .expect(400, .invalidRedirectLocation)
            }
            let upload = try await s3.send(
                "POST", "/bucket/key", ["uploads": ""], headers: ["x-amz-storage-class": "GLACIER"]
            ).expect(200)
            let id = try #require(try upload.text("UploadId"))
            #expect(try await s3.send("GET", "/bucket/key", ["uploadId": id]).text("StorageClass") == "GLACIER")
            let uploads = try await s3.send("GET", "/bucket", ["uploads": ""]).expect(200)
            #expect(try uploads.text("Upload", "StorageClass") == "GLACIER")
        }
    }

    @Test func metadataBeyondASCIIComesBackEncoded() async throws {
        try await S3Fixture.run { s3 in
            let headers = ["x-amz-meta-plain": "plain", "x-amz-meta-raw": "é", "x-amz-meta-word": "=?UTF-8?Q?=C3=A9?="]
            try await s3.send("PUT", "/bucket/key", headers: headers, body: [1]).expect(200)
            let head = try await s3.send("HEAD", "/bucket/key").expect(200)
            #expect(head.header("x-amz-meta-plain") == "plain")
            #expect(head.header("x-amz-meta-raw") == "=?UTF-8?B?w6k=?=")
            #expect(head.header("x-amz-meta-word") == "=?UTF-8?B?w6k=?=")
            #expect(try await s3.store.events(after: 0, limit: 1).first?.userMetadata["word"] == "é")
        }
    }

    @Test func metadataHasALimit() async throws {
        try await S3Fixture.run { s3 in
            let most = ["x-amz-meta-abc": String(repeating: "x", count: 2045)]
            try await s3.send("PUT", "/bucket/key", headers: most).expect(200)
            let more = ["x-amz-meta-abcd": String(repeating: "x", count: 2045)]
            let refused = try await s3.send("PUT", "/bucket/key", headers: more).expect(400, .metadataTooLarge)
            #expect(try refused.text("Size") == "2049" && refused.text("MaxSizeAllowed") == "2048")
        }
    }

    @Test func tellsAttributes() async throws {
        try await S3Fixture.run { s3 in
            let headers = ["x-amz-checksum-sha1": "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=", "x-amz-storage-class": "STANDARD_IA"]
            try await s3.send("PUT", "/bucket/key", headers: headers, body: Array("abc".utf8)).expect(200)
            let wanted = ["x-amz-object-attributes": "ETag,Checksum,ObjectParts, StorageClass,ObjectSize"]
            let all = try await s3.send("GET", "/bucket/key", ["attributes": ""], headers: wanted).expect(200)
            #expect(all.headers[.lastModified] == "Tue, 14 Nov 2023 22:13:20 GMT")
            #expect(try all.text("ETag") == "900150983cd24fb0d6963f7d28e17f72")
            #expect(try all.text("Checksum", "ChecksumSHA1") == "qZk+NkcGgWq6PiVxeFDCbJzQ2J0=")
            #expect(try all.text("Checksum", "ChecksumType") == "FULL_OBJECT")
            #expect(try all.text("StorageClass") == "STANDARD_IA" && all.text("ObjectSize") == "3")
            #expect(try all.text("ObjectParts") == nil)
            let some = try await s3.send(
                "GET", "/bucket/key", ["attributes": ""], headers: ["x-amz-object-attributes": "ObjectSize"])
            #expect(try some.xml().children.map(\.name) == ["ObjectSize"])
            for header in ["", "Size", "etag"] {
                try await s3.send(
                    "GET", "/bucket/key", ["attributes": ""], headers: ["x-amz-object-attributes": header]
                ).expect(400, .invalidArgument)
            }
            try await s3.send("GET", "/bucket/key", ["attributes": ""]).expect(400, .invalidArgument)
            try await s3.send("GET", "/bucket/none", ["attributes": ""], headers: wanted).expect(404, .noSuchKey)
        }
    }

    @Test func tellsPartsInPages() async throws {
        try await S3Fixture.run { s3 in
            let begin = try await s3.send(
                "POST", "/bucket/key", ["uploads": ""], headers: ["x-amz-checksum-algorithm": "CRC32"]
            ).expect(200)
            let id = try #require(try begin.text("UploadId"))
            var elements = ""
            for (number, part) in [(1, pattern(5 << 20)), (2, [1])] {
                let put = try await s3.send(
                    "PUT", "/bucket/key", ["partNumber": "\(number)", "uploadId": id], body: part, payload: .unsigned
                ).expect(200)
                elements += "<Part><PartNumber>\(number)</PartNumber><ETag>\(put.headers[.eTag] ?? "")</ETag></Part>"
            }
            let document = "<CompleteMultipartUpload>\(elements)</CompleteMultipartUpload>"
            try await s3.send("POST", "/bucket/key", ["uploadId": id], body: Array(document.utf8)).expect(200)
            func parts(_ headers: [String: String]) async throws -> XMLElement {
                let all = headers.merging(["x-amz-object-attributes": "ObjectParts"]) { $1 }
                let answer = try await s3.send("GET", "/bucket/key", ["attributes": ""], headers: all).expect(200)
                return try #require(try answer.xml()["ObjectParts"])
            }
            var found = try await parts([:])
            #expect(found["PartsCount"]?.text == "2" && found["IsTruncated"]?.text == "false")
            #expect(found.all("Part").map { $0["Size"]?.text } == ["\(5 << 20)", "1"])
            let expected = Base64.encode(Checksum.of([1], .crc32))
            #expect(found.all("Part").last?["ChecksumCRC32"]?.text == expected)
            found = try await parts(["x-amz-max-parts": "1"])
            #expect(found["IsTruncated"]?.text == "true" && found["NextPartNumberMarker"]?.text == "1")
            found = try await parts(["x-amz-max-parts": "1", "x-amz-part-number-marker": "1"])
            #expect(found.all("Part").map { $0["PartNumber"]?.text } == ["2"] && found["IsTruncated"]?.text == "false")
            let odd = ["x-amz-object-attributes": "ObjectParts", "x-amz-max-parts": "x"]
            try await s3.send("GET", "/bucket/key", ["attributes": ""], headers: odd).expect(400, .invalidArgument)
            try await s3.send("GET", "/bucket/key", ["partNumber": "1"], headers: ["Range": "bytes=0-1"])
                .expect(400, .invalidRequest)
        }
    }
}
