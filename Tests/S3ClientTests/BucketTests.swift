import AsyncHTTPClient
import LoopbackServer
import Model
import NIOHTTP1
import S3Client
import S3Wire
import Testing

struct BucketTests {
    @Test func listsPageByPage() async throws {
        let store = FakeStore(pageSize: 2)
        let keys = ["a b", "a+b", "dir/one", "dir/two", "x%20y", "ä/ö", "日本"]
        for key in keys { store.add("b", key, key) }
        try await withClient(of: store) { client in
            var found: [String] = []
            var pages = 0
            var continuation: String?
            repeat {
                let page = try await client.list(bucket: "b", continuation: continuation)
                found += page.objects.map(\.key)
                continuation = page.continuation
                pages += 1
            } while continuation != nil
            #expect(found.sorted() == keys.sorted())
            #expect(pages == 4)
            let folders = try await client.list(bucket: "b", prefix: "d", delimiter: "/")
            #expect(folders.commonPrefixes == ["dir/"])
            #expect(folders.objects.isEmpty)
        }
    }

    @Test func removesManyAtOnce() async throws {
        let store = FakeStore(buckets: ["b"])
        let keys = ["one", "t<w>o&", "bell\u{7}", "line\nend", "four"]
        for key in keys { store.add("b", key) }
        try await withClient(of: store) { client in
            let failures = try await client.delete(bucket: "b", keys: Array(keys.dropLast()))
            #expect(failures.isEmpty)
            let none = await code { () throws(S3ClientError) in _ = try await client.delete(bucket: "b", keys: []) }
            #expect(none == .invalid)
        }
        #expect(store.keys("b") == ["four"])
        let request = store.requests.first { $0.parameter("delete") != nil }
        #expect(request?.headers.contains(name: "content-md5") == true)
    }

    @Test func tellsWhatWasNotRemoved() async throws {
        try await withClient(
            answering: responder { _ in
                LoopbackResponse(
                    text:
                        "<DeleteResult><Error><Key>k</Key><Code>Denied</Code><Message>No.</Message></Error></DeleteResult>"
                )
            }
        ) { client in
            let failures = try await client.delete(bucket: "b", keys: ["k"])
            #expect(failures.map(\.key) == ["k"])
            #expect(failures.map(\.reason) == ["No."])
        }
    }

    @Test func createsListsAndRemovesBuckets() async throws {
        let store = FakeStore()
        try await withClient(of: store) { client in
            try await client.createBucket("one")
            try await client.createBucket("one")
            let hasOne = try await client.hasBucket("one")
            #expect(hasOne)
            let hasTwo = try await client.hasBucket("two")
            #expect(hasTwo == false)
            let names = try await client.listBuckets().map(\.name)
            #expect(names == ["one"])
            try await client.deleteBucket("one")
            let gone = await code { () throws(S3ClientError) in try await client.deleteBucket("one") }
            #expect(gone == .notFound)
        }
    }
}

struct FailureTests {
    @Test(arguments: [
        (
            HTTPResponseStatus.forbidden, "SignatureDoesNotMatch",
            S3ClientError.Code.refused(status: 403, s3Code: "SignatureDoesNotMatch")
        ),
        (.notFound, "NoSuchBucket", .notFound), (.notFound, "NoSuchKey", .notFound),
        (.serviceUnavailable, "SlowDown", .refused(status: 503, s3Code: "SlowDown")),
        (.movedPermanently, "PermanentRedirect", .refused(status: 301, s3Code: "PermanentRedirect")),
        (.notImplemented, "NotImplemented", .refused(status: 501, s3Code: "NotImplemented")),
    ])
    func mapsRefusals(status: HTTPResponseStatus, s3Code: String, expected: S3ClientError.Code) async throws {
        try await withClient(answering: responder { _ in FakeStore.error(status, s3Code, "Why.") }) { client in
            let code = await code { () throws(S3ClientError) in _ = try await client.list(bucket: "b") }
            #expect(code == expected)
        }
    }

    @Test func saysWhatCanBeTriedAgain() {
        #expect(S3ClientError(.unreachable, "").isTransient)
        #expect(S3ClientError(.refused(status: 503, s3Code: "SlowDown"), "").isTransient)
        #expect(!S3ClientError(.refused(status: 403, s3Code: "AccessDenied"), "").isTransient)
        #expect(!S3ClientError(.notFound, "").isTransient)
    }

    @Test(arguments: [
        "", "<html><body>proxy</body></html>", "{}", "<ListBucketResult>",
        "<ListBucketResult><Contents/></ListBucketResult>",
        "<ListBucketResult><Contents><Key>k</Key><Size>much</Size></Contents></ListBucketResult>",
        "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
        "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%ZZ</Key><Size>1</Size></Contents>"
            + "</ListBucketResult>",
        "<!DOCTYPE x [<!ENTITY a \"b\">]><ListBucketResult/>",
        String(repeating: "<a>", count: 100_000),
    ])
    func refusesMalformedListings(text: String) async throws {
        try await withClient(answering: responder { _ in LoopbackResponse(text: text) }) { client in
            let code = await code { () throws(S3ClientError) in _ = try await client.list(bucket: "b") }
            #expect(code == .malformedAnswer)
        }
    }

    @Test func noticesAListingThatNeverEnds() async throws {
        let text =
            "<ListBucketResult><IsTruncated>true</IsTruncated>"
            + "<NextContinuationToken>t</NextContinuationToken></ListBucketResult>"
        try await withClient(answering: responder { _ in LoopbackResponse(text: text) }) { client in
            let first = try await client.list(bucket: "b")
            #expect(first.continuation == "t")
            let code = await code { () throws(S3ClientError) in
                _ = try await client.list(bucket: "b", continuation: "t")
            }
            #expect(code == .malformedAnswer)
        }
    }

    @Test func tellsThatNobodyAnswers() async throws {
        let port = try await LoopbackServer.closedPort()
        try await HTTPClient.withHTTPClient(configuration: .objectTransfers) { http in
            let client = S3Client(
                endpoint: try S3Endpoint("http://127.0.0.1:\(port)"), accessKey: "a", secretKey: "s", httpClient: http
            )
            let code = await code { () throws(S3ClientError) in _ = try await client.listBuckets() }
            #expect(code == .unreachable)
        }
    }

    @Test func keepsSecretsOutOfTexts() {
        #expect(!"\(S3Credentials(accessKey: "AK", secretKey: "hidden"))".contains("hidden"))
    }
}
