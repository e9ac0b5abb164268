import HTTPTypes
import Model
import S3Wire
import Testing

@Suite struct VersioningTests {
    private static func set(_ status: String, _ s3: S3Fixture) async throws {
        let body = "<VersioningConfiguration><Status>\(status)</Status></VersioningConfiguration>"
        try await s3.send("PUT", "/bucket", ["versioning": ""], body: Array(body.utf8)).expect(200)
    }

    private static func put(_ content: String, _ s3: S3Fixture, key: String = "key") async throws -> String {
        let put = try await s3.send("PUT", "/bucket/\(key)", body: Array(content.utf8)).expect(200)
        return try #require(put.header("x-amz-version-id"))
    }

    private func versioned(_ body: @escaping @Sendable (S3Fixture) async throws -> Void) async throws {
        try await S3Fixture.run { s3 in
            try await Self.set("Enabled", s3)
            try await body(s3)
        }
    }

    @Test func isSetAndTold() async throws {
        try await S3Fixture.run { s3 in
            #expect(try await s3.send("GET", "/bucket", ["versioning": ""]).expect(200).text("Status") == nil)
            for status in ["Enabled", "Suspended", "Enabled"] {
                try await Self.set(status, s3)
                #expect(try await s3.send("GET", "/bucket", ["versioning": ""]).expect(200).text("Status") == status)
            }
            for (body, code) in [
                ("<VersioningConfiguration/>", S3ErrorCode.illegalVersioningConfiguration), ("", .malformedXML),
                ("<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", .malformedXML),
            ] {
                try await s3.send("PUT", "/bucket", ["versioning": ""], body: Array(body.utf8)).expect(400, code)
            }
            let body = Array(VersioningConfiguration(status: .enabled).xml)
            try await s3.send("PUT", "/missing", ["versioning": ""], body: body).expect(404, .noSuchBucket)
            try await s3.send("GET", "/missing", ["versioning": ""]).expect(404, .noSuchBucket)
        }
    }

    @Test func answersNameTheVersion() async throws {
        try await S3Fixture.run { s3 in
            let plain = try await s3.send("PUT", "/bucket/key", body: [0]).expect(200)
            #expect(plain.header("x-amz-version-id") == nil)
            #expect(try await s3.send("GET", "/bucket/key").header("x-amz-version-id") == nil)
            try await Self.set("Enabled", s3)
            #expect(try await s3.send("GET", "/bucket/key").header("x-amz-version-id") == "null")
            let first = try await Self.put("one", s3)
            let second = try await Self.put("two", s3)
            #expect(first != second)
            let latest = try await s3.send("GET", "/bucket/key").expect(200)
            #expect(latest.text == "two" && latest.header("x-amz-version-id") == second)
            for (version, content) in [("null", "\0"), (first, "one"), (second, "two")] {
                let get = try await s3.send("GET", "/bucket/key", ["versionId": version]).expect(200)
                #expect(get.text == content && get.header("x-amz-version-id") == version)
                let head = try await s3.send("HEAD", "/bucket/key", ["versionId": version]).expect(200)
                #expect(head.headers[.contentLength] == String(content.utf8.count))
                #expect(head.header("x-amz-version-id") == version)
            }
            try await Self.set("Suspended", s3)
            #expect(try await Self.put("three", s3) == "null")
            #expect(try await s3.send("GET", "/bucket/key", ["versionId": "null"]).text == "three")
        }
    }

    @Test func refusesVersionsThatAreNotThere() async throws {
        try await versioned { s3 in
            let version = try await Self.put("one", s3)
            let unknown = String(version.reversed())
            for method in ["GET", "HEAD"] {
                let isGet = method == "GET"
                try await s3.send(method, "/bucket/key", ["versionId": unknown])
                    .expect(404, isGet ? .noSuchVersion : nil)
                try await s3.send(method, "/bucket/other", ["versionId": version])
                    .expect(404, isGet ? .noSuchVersion : nil)
                for text in ["", "x", "NULL", String(repeating: "0", count: 5000)] {
                    try await s3.send(method, "/bucket/key", ["versionId": text])
                        .expect(400, isGet ? .invalidArgument : nil)
                }
            }
            try await s3.send("DELETE", "/bucket/key", ["versionId": "x"]).expect(400, .invalidArgument)
            // To delete what is not there is no error.
            let gone = try await s3.send("DELETE", "/bucket/key", ["versionId": unknown]).expect(204)
            #expect(gone.header("x-amz-version-id") == unknown)
            #expect(gone.header("x-amz-delete-marker") == nil)
        }
    }

    @Test func deletionsLeaveMarkers() async throws {
        try await versioned { s3 in
            let version = try await Self.put("one", s3)
            let deletion = try await s3.send("DELETE", "/bucket/key").expect(204)
            #expect(deletion.header("x-amz-delete-marker") == "true")
            let marker = try #require(deletion.header("x-amz-version-id"))
            for method in ["GET", "HEAD"] {
                let latest = try await s3.send(method, "/bucket/key")
                    .expect(404, method == "GET" ? .noSuchKey : nil)
                #expect(latest.header("x-amz-delete-marker") == "true")
                #expect(latest.header("x-amz-version-id") == marker)
                let named = try await s3.send(method, "/bucket/key", ["versionId": marker])
                    .expect(405, method == "GET" ? .methodNotAllowed : nil)
                #expect(named.header("x-amz-delete-marker") == "true")
                #expect(named.header("allow") == "DELETE")
                #expect(named.headers[.lastModified] == "Tue, 14 Nov 2023 22:13:20 GMT")
            }
            #expect(try await s3.objects().isEmpty)
            #expect(try await s3.send("GET", "/bucket/key", ["versionId": version]).expect(200).text == "one")
            try await s3.send("DELETE", "/bucket").expect(409, .bucketNotEmpty)
            let undone = try await s3.send("DELETE", "/bucket/key", ["versionId": marker]).expect(204)
            #expect(undone.header("x-amz-delete-marker") == "true" && undone.header("x-amz-version-id") == marker)
            #expect(try await s3.send("GET", "/bucket/key").expect(200).text == "one")
            let last = try await s3.send("DELETE", "/bucket/key", ["versionId": version]).expect(204)
            #expect(last.header("x-amz-delete-marker") == nil && last.header("x-amz-version-id") == version)
            try await s3.send("DELETE", "/bucket").expect(204)
        }
    }

    @Test func listsVersions() async throws {
        try await versioned { s3 in
            let ids = [try await Self.put("one", s3), try await Self.put("two!", s3)]
            try await s3.send("DELETE", "/bucket/key").expect(204)
            _ = try await Self.put("x", s3, key: "a%20b/c")
            let list = try await s3.send("GET", "/bucket", ["versions": ""]).expect(200).xml()
            let entries = list.children.filter { ["Version", "DeleteMarker"].contains($0.name) }
            #expect(entries.map { $0["Key"]?.text } == ["a b/c", "key", "key", "key"])
            #expect(entries.map(\.name) == ["Version", "DeleteMarker", "Version", "Version"])
            #expect(entries.map { $0["IsLatest"]?.text } == ["true", "true", "false", "false"])
            #expect(entries.dropFirst(2).map { $0["VersionId"]?.text } == ids.reversed())
            #expect(entries.dropFirst(2).map { $0["Size"]?.text } == ["4", "3"])
            #expect(list["IsTruncated"]?.text == "false")
            let first = try await s3.send(
                "GET", "/bucket", ["versions": "", "max-keys": "2", "delimiter": "/", "encoding-type": "url"]
            ).expect(200).xml()
            #expect(first["CommonPrefixes"]?["Prefix"]?.text == "a%20b/")
            #expect(first["IsTruncated"]?.text == "true" && first["NextKeyMarker"]?.text == "key")
            let marker = try #require(first["NextVersionIdMarker"]?.text)
            let rest = try await s3.send(
                "GET", "/bucket", ["versions": "", "key-marker": "key", "version-id-marker": marker]
            ).expect(200).xml()
            #expect(rest.all("Version").map { $0["VersionId"]?.text } == ids.reversed())
            #expect(
                try await s3.send("GET", "/bucket", ["versions": "", "key-marker": "key"]).xml().all("Version").isEmpty)
            #expect(
                try await s3.send("GET", "/bucket", ["versions": "", "prefix": "k"]).xml().all("Version").count == 2)
            try await s3.send("GET", "/bucket", ["versions": "", "version-id-marker": marker])
                .expect(400, .invalidArgument)
            try await s3.send("GET", "/bucket", ["versions": "", "key-marker": "key", "version-id-marker": "x"])
                .expect(400, .invalidArgument)
            try await s3.send("GET", "/bucket", ["versions": "", "max-keys": "-1"]).expect(400, .invalidArgument)
            try await s3.send("GET", "/missing", ["versions": ""]).expect(404, .noSuchBucket)
        }
    }

    @Test func copiesVersions() async throws {
        try await versioned { s3 in
            let first = try await Self.put("one", s3)
            let second = try await Self.put("two", s3)
            let source = ["x-amz-copy-source": "/bucket/key?versionId=\(first)"]
            let copy = try await s3.send("PUT", "/bucket/key", headers: source).expect(200)
            #expect(copy.header("x-amz-copy-source-version-id") == first)
            let version = try #require(copy.header("x-amz-version-id"))
            #expect(![first, second].contains(version))
            #expect(try await s3.send("GET", "/bucket/key").text == "one")
            let latest = try await s3.send("PUT", "/bucket/other", headers: ["x-amz-copy-source": "/bucket/key"])
            #expect(latest.header("x-amz-copy-source-version-id") == version)
            let marker = try #require(try await s3.send("DELETE", "/bucket/key").header("x-amz-version-id"))
            for (text, status, code) in [
                (marker, 400, S3ErrorCode.invalidRequest), (String(first.reversed()), 404, .noSuchVersion),
                ("", 400, .invalidArgument),
            ] {
                let headers = ["x-amz-copy-source": "/bucket/key?versionId=\(text)"]
                try await s3.send("PUT", "/bucket/other", headers: headers).expect(status, code)
            }
            try await s3.send("PUT", "/bucket/other", headers: ["x-amz-copy-source": "/bucket/key"])
                .expect(404, .noSuchKey)
            let upload = try #require(try await s3.send("POST", "/bucket/big", ["uploads": ""]).text("UploadId"))
            let part = try await s3.send(
                "PUT", "/bucket/big", ["partNumber": "1", "uploadId": upload], headers: source
            ).expect(200)
            #expect(part.header("x-amz-copy-source-version-id") == first)
            let document =
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\(try part.text("ETag") ?? "")</ETag></Part>"
                + "</CompleteMultipartUpload>"
            let complete = try await s3.send("POST", "/bucket/big", ["uploadId": upload], body: Array(document.utf8))
            #expect(try complete.expect(200).header("x-amz-version-id")?.utf8.count == 32)
            let again = try await s3.send("POST", "/bucket/big", ["uploadId": upload], body: Array(document.utf8))
            #expect(try again.expect(200).body == complete.body)
            #expect(again.header("x-amz-version-id") == complete.header("x-amz-version-id"))
            try await s3.send("DELETE", "/bucket/big", ["uploadId": upload]).expect(404, .noSuchUpload)
        }
    }

    @Test func deletesManyVersions() async throws {
        try await versioned { s3 in
            let first = try await Self.put("one", s3)
            let eTag = try #require(try await s3.send("HEAD", "/bucket/key").headers[.eTag])
            let second = try await Self.put("two", s3)
            let objects = [
                "<Key>key</Key>", "<Key>key</Key><VersionId>\(first)</VersionId><ETag>&quot;x&quot;</ETag>",
                "<Key>key</Key><VersionId>\(first)</VersionId><ETag>\(eTag)</ETag>",
                "<Key>key</Key><VersionId>x</VersionId>", "<Key>none</Key><ETag>*</ETag>",
            ]
            let document = "<Delete>\(objects.map { "<Object>\($0)</Object>" }.joined())</Delete>"
            let result = try await s3.send("POST", "/bucket", ["delete": ""], body: Array(document.utf8))
                .expect(200).xml()
            let deleted = result.all("Deleted")
            #expect(deleted.map { $0["VersionId"]?.text } == [nil, first])
            #expect(deleted.map { $0["DeleteMarker"]?.text } == ["true", nil])
            let marker = try #require(deleted[0]["DeleteMarkerVersionId"]?.text)
            #expect(
                result.all("Error").compactMap { $0["Code"]?.text }.sorted()
                    == ["InvalidArgument", "NoSuchKey", "PreconditionFailed"])
            let quiet = """
                <Delete><Quiet>true</Quiet><Object><Key>key</Key><VersionId>\(marker)</VersionId></Object></Delete>
                """
            let rest = try await s3.send("POST", "/bucket", ["delete": ""], body: Array(quiet.utf8)).expect(200)
            #expect(try rest.xml().children.isEmpty)
            #expect(try await s3.send("GET", "/bucket/key").header("x-amz-version-id") == second)
        }
    }

    @Test func deletesConditionally() async throws {
        try await S3Fixture.run { s3 in
            let eTag = try #require(try await s3.send("PUT", "/bucket/key", body: [1]).headers[.eTag])
            try await s3.send("DELETE", "/bucket/key", headers: ["If-Match": "\"x\""]).expect(412, .preconditionFailed)
            try await s3.send("DELETE", "/bucket/none", headers: ["If-Match": "*"]).expect(404, .noSuchKey)
            try await s3.send("DELETE", "/bucket/key", headers: ["x-amz-if-match-size": "1"])
                .expect(501, .notImplemented)
            #expect(try await s3.objects() == ["key"])
            try await s3.send("DELETE", "/bucket/key", headers: ["If-Match": eTag]).expect(204)
            try await s3.send("PUT", "/bucket/key", body: [1]).expect(200)
            try await s3.send("DELETE", "/bucket/key", headers: ["If-Match": "*"]).expect(204)
            #expect(try await s3.objects().isEmpty)
        }
    }
}
