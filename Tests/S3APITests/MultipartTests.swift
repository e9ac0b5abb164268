import HTTPTypes
import Model
import ObjectEngine
import S3Wire
import Testing

@Suite struct MultipartTests {
    static let partSize = 5 << 20

    private static func begin(_ s3: S3Fixture, headers: [String: String] = [:]) async throws -> String {
        let answer = try await s3.send("POST", "/bucket/key", ["uploads": ""], headers: headers).expect(200)
        return try #require(try answer.text("UploadId"))
    }

    private static func document(_ parts: [(number: Int, eTag: String?)], extra: String = "") -> [UInt8] {
        let elements = parts.map {
            "<Part><PartNumber>\($0.number)</PartNumber><ETag>\($0.eTag ?? "")</ETag>\(extra)</Part>"
        }
        return Array("<CompleteMultipartUpload>\(elements.joined())</CompleteMultipartUpload>".utf8)
    }

    @Test func uploadsInParts() async throws {
        try await S3Fixture.run { s3 in
            let parts = [pattern(Self.partSize), pattern(100, seed: 2)]
            let id = try await Self.begin(s3, headers: ["Content-Type": "video/mp4", "x-amz-meta-a": "b"])
            var eTags: [(number: Int, eTag: String?)] = []
            for (number, part) in zip([2, 5], parts) {
                let put = try await s3.send(
                    "PUT", "/bucket/key", ["partNumber": "\(number)", "uploadId": id], body: part, payload: .unsigned
                ).expect(200)
                eTags.append((number, put.headers[.eTag]))
            }
            try await s3.send("GET", "/bucket/key").expect(404, .noSuchKey)
            let list = try await s3.send("GET", "/bucket/key", ["uploadId": id]).expect(200).xml()
            #expect(list.all("Part").map { $0["PartNumber"]?.text } == ["2", "5"])
            #expect(list.all("Part").map { $0["Size"]?.text } == ["\(Self.partSize)", "100"])
            let first = try await s3.send("GET", "/bucket/key", ["uploadId": id, "max-parts": "1"]).xml()
            #expect(first["IsTruncated"]?.text == "true")
            #expect(first["NextPartNumberMarker"]?.text == "2")
            let done = try await s3.send("POST", "/bucket/key", ["uploadId": id], body: Self.document(eTags)).expect(
                200)
            let eTag = "\"\(MultipartChecksum.eTag(partDigests: parts.map { MD5Digest.of($0) }))\""
            #expect(try done.text("ETag") == eTag)
            #expect(try done.text("Location") == "http://localhost/bucket/key")
            let get = try await s3.send("GET", "/bucket/key").expect(200)
            #expect(get.body == parts.flatMap { $0 })
            #expect(get.headers[.eTag] == eTag)
            #expect(get.headers[.contentType] == "video/mp4")
            #expect(get.header("x-amz-meta-a") == "b")
            let second = try await s3.send("GET", "/bucket/key", ["partNumber": "2"]).expect(206)
            #expect(second.body == parts[1])
            #expect(second.header("x-amz-mp-parts-count") == "2")
            let border = try await s3.send("GET", "/bucket/key", headers: ["Range": "bytes=\(Self.partSize - 2)-"])
                .expect(206)
            #expect(border.body == parts[0].suffix(2) + parts[1])
            try await s3.send("GET", "/bucket/key", ["uploadId": id]).expect(404, .noSuchUpload)
            #expect(try await s3.store.events(after: 0, limit: 10).map(\.cause) == [.multipart])
        }
    }

    @Test(arguments: [(ChecksumAlgorithm.crc32, "FULL_OBJECT"), (.crc64nvme, "FULL_OBJECT"), (.sha256, "COMPOSITE")])
    func keepsChecksums(algorithm: ChecksumAlgorithm, type: String) async throws {
        try await S3Fixture.run { s3 in
            let parts = [pattern(Self.partSize), pattern(100, seed: 2)]
            let id = try await Self.begin(
                s3, headers: ["x-amz-checksum-algorithm": algorithm.rawValue, "x-amz-checksum-type": type]
            )
            var eTags: [(number: Int, eTag: String?)] = []
            for (index, part) in parts.enumerated() {
                let value = Base64.encode(Checksum.of(part, algorithm))
                let put = try await s3.send(
                    "PUT", "/bucket/key", ["partNumber": "\(index + 1)", "uploadId": id],
                    headers: index == 0 ? [algorithm.headerName: value] : [:], body: part, payload: .unsigned
                ).expect(200)
                #expect(put.header(algorithm.headerName) == value)
                eTags.append((index + 1, put.headers[.eTag]))
            }
            let expected =
                type == "COMPOSITE"
                ? MultipartChecksum.composite(algorithm, parts: parts.map { Checksum.of($0, algorithm) })
                : Base64.encode(Checksum.of(parts.flatMap { $0 }, algorithm))
            let wrong = Base64.encode([UInt8](repeating: 0, count: algorithm.length))
            try await s3.send(
                "POST", "/bucket/key", ["uploadId": id], headers: [algorithm.headerName: wrong],
                body: Self.document(eTags)
            ).expect(400, .badDigest)
            let done = try await s3.send(
                "POST", "/bucket/key", ["uploadId": id], headers: [algorithm.headerName: expected],
                body: Self.document(eTags)
            ).expect(200)
            #expect(try done.text(algorithm.elementName) == expected)
            #expect(try done.text("ChecksumType") == type)
            let head = try await s3.send("HEAD", "/bucket/key", headers: ["x-amz-checksum-mode": "ENABLED"])
            #expect(head.header(algorithm.headerName) == expected)
            #expect(head.header("x-amz-checksum-type") == type)
        }
    }

    @Test func anEmptyLastPartIsEmpty() async throws {
        try await S3Fixture.run { s3 in
            let content = pattern(Self.partSize)
            let id = try await Self.begin(s3)
            var eTags: [(number: Int, eTag: String?)] = []
            for (number, body) in [(1, content), (2, [])] {
                let put = try await s3.send(
                    "PUT", "/bucket/key", ["partNumber": "\(number)", "uploadId": id], body: body, payload: .unsigned
                ).expect(200)
                eTags.append((number, put.headers[.eTag]))
            }
            try await s3.send("POST", "/bucket/key", ["uploadId": id], body: Self.document(eTags)).expect(200)
            for method in ["GET", "HEAD"] {
                let part = try await s3.send(method, "/bucket/key", ["partNumber": "2"]).expect(206)
                #expect(part.body.isEmpty && part.header("content-length") == "0")
                // No range of bytes can be named.
                #expect(part.header("content-range") == nil && part.header("x-amz-mp-parts-count") == "2")
            }
            let first = try await s3.send("GET", "/bucket/key", ["partNumber": "1"]).expect(206)
            #expect(first.body == content)
            #expect(try await s3.send("GET", "/bucket/key").expect(200).body == content)
        }
    }

    @Test func copiesParts() async throws {
        try await S3Fixture.run { s3 in
            let content = pattern(Self.partSize + 500)
            try await s3.send("PUT", "/bucket/source", body: content, payload: .unsigned).expect(200)
            let id = try await Self.begin(s3)
            var eTags: [(number: Int, eTag: String?)] = []
            for (number, range) in [
                (1, "bytes=0-\(Self.partSize - 1)"), (2, "bytes=\(Self.partSize)-\(content.count - 1)"),
            ] {
                let copy = try await s3.send(
                    "PUT", "/bucket/key", ["partNumber": "\(number)", "uploadId": id],
                    headers: ["x-amz-copy-source": "/bucket/source", "x-amz-copy-source-range": range]
                ).expect(200)
                #expect(try copy.xml().name == "CopyPartResult")
                eTags.append((number, try copy.text("ETag")))
            }
            for range in ["bytes=0-\(content.count)", "bytes=5-", "nonsense"] {
                try await s3.send(
                    "PUT", "/bucket/key", ["partNumber": "3", "uploadId": id],
                    headers: ["x-amz-copy-source": "/bucket/source", "x-amz-copy-source-range": range]
                ).expect(400, .invalidArgument)
            }
            try await s3.send("POST", "/bucket/key", ["uploadId": id], body: Self.document(eTags)).expect(200)
            #expect(try await s3.send("GET", "/bucket/key").body == content)
        }
    }

    @Test func refusesBadCompletions() async throws {
        try await S3Fixture.run { s3 in
            let id = try await Self.begin(s3)
            var eTags: [String] = []
            for number in [1, 2] {
                let put = try await s3.send(
                    "PUT", "/bucket/key", ["partNumber": "\(number)", "uploadId": id], body: [UInt8(number)]
                ).expect(200)
                eTags.append(try #require(put.headers[.eTag]))
            }
            for (parts, code) in [
                ([(1, eTags[0]), (3, eTags[1])], S3ErrorCode.invalidPart), ([(1, eTags[1])], .invalidPart),
                ([(2, eTags[1]), (1, eTags[0])], .invalidPartOrder), ([(1, eTags[0]), (2, eTags[1])], .entityTooSmall),
                ([], .malformedXML),
            ] as [([(Int, String)], S3ErrorCode)] {
                let document = Self.document(parts.map { ($0.0, $0.1) })
                try await s3.send("POST", "/bucket/key", ["uploadId": id], body: document).expect(400, code)
            }
            try await s3.send("POST", "/bucket/key", ["uploadId": "x"], body: Self.document([(1, eTags[0])]))
                .expect(404, .noSuchUpload)
            try await s3.send("POST", "/bucket/other", ["uploadId": id], body: Self.document([(1, eTags[0])]))
                .expect(404, .noSuchUpload)
            for number in ["0", "10001", "x", ""] {
                try await s3.send("PUT", "/bucket/key", ["partNumber": number, "uploadId": id], body: [1])
                    .expect(400, .invalidArgument)
            }
            try await s3.send("PUT", "/bucket/key", ["partNumber": "1", "uploadId": "x"], body: [1])
                .expect(404, .noSuchUpload)
            #expect(try await s3.objects().isEmpty)
        }
    }

    @Test func listsAndAborts() async throws {
        try await S3Fixture.run { s3 in
            let ids = [try await Self.begin(s3), try await Self.begin(s3)]
            try await s3.send("POST", "/bucket/other/key", ["uploads": ""]).expect(200)
            var list = try await s3.send("GET", "/bucket", ["uploads": ""]).expect(200).xml()
            #expect(list.all("Upload").map { $0["Key"]?.text } == ["key", "key", "other/key"])
            #expect(Set(list.all("Upload").prefix(2).compactMap { $0["UploadId"]?.text }) == Set(ids))
            list = try await s3.send("GET", "/bucket", ["uploads": "", "delimiter": "/", "prefix": "o"]).xml()
            #expect(list["CommonPrefixes"]?["Prefix"]?.text == "other/")
            list = try await s3.send("GET", "/bucket", ["uploads": "", "max-uploads": "1"]).xml()
            #expect(list["IsTruncated"]?.text == "true")
            let marker = try #require(list["NextUploadIdMarker"]?.text)
            list = try await s3.send(
                "GET", "/bucket", ["uploads": "", "key-marker": "key", "upload-id-marker": marker]
            ).xml()
            #expect(list.all("Upload").count == 2)
            for id in ids { try await s3.send("DELETE", "/bucket/key", ["uploadId": id]).expect(204) }
            try await s3.send("DELETE", "/bucket/key", ["uploadId": ids[0]]).expect(404, .noSuchUpload)
            list = try await s3.send("GET", "/bucket", ["uploads": ""]).xml()
            #expect(list.all("Upload").count == 1)
        }
    }

    @Test func refusesBadChecksumTypes() async throws {
        try await S3Fixture.run { s3 in
            for headers in [
                ["x-amz-checksum-algorithm": "MD4"], ["x-amz-checksum-type": "FULL_OBJECT"],
                ["x-amz-checksum-algorithm": "SHA256", "x-amz-checksum-type": "FULL_OBJECT"],
                ["x-amz-checksum-algorithm": "CRC64NVME", "x-amz-checksum-type": "COMPOSITE"],
                ["x-amz-checksum-algorithm": "CRC32", "x-amz-checksum-type": "HALF"],
            ] {
                try await s3.send("POST", "/bucket/key", ["uploads": ""], headers: headers).expect(400, .invalidRequest)
            }
        }
    }
}
