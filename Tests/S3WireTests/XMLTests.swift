import Model
import S3Wire
import Testing

@Suite struct XMLTests {
    static func parse(_ text: String) throws -> XMLElement { try XMLElement.parse(Array(text.utf8)) }

    @Test func readsWhatClientsSend() throws {
        let root = try Self.parse(
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <!-- a comment --><s3:Delete xmlns:s3='http://s3.amazonaws.com/doc/2006-03-01/' empty="">
              <Object><Key>a&amp;b&#x20;&#99;<![CDATA[<d>&amp;]]>é</Key ></Object><Quiet/>
            </s3:Delete>

            """
        )
        #expect(root.name == "Delete")
        #expect(root["Object"]?["Key"]?.text == "a&b c<d>&amp;é")
        #expect(root["Quiet"]?.text.isEmpty == true)
        #expect(root.all("Object").count == 1)
    }

    @Test(arguments: [
        "", " ", "text", "<", "<a", "<a>", "<a></b>", "</a>", "<a></a><b></b>", "<a/>text", "text<a/>", "<a b></a>",
        "<a b=c></a>", "<a b='c></a>", "<a>&unknown;</a>", "<a>&amp</a>", "<a>&#0;</a>", "<a>&#xD800;</a>",
        "<a>&#;</a>",
        "<a>&#99999999999999;</a>", "<a><![CDATA[</a>", "<a><!--</a>", "<a><b></a></b>", "<a/ >", "< a/>",
        "<1 a=''/ b>",
        "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "<a><?php ?></a>", "<a><!ELEMENT b></a>", "<![CDATA[x]]><a/>",
    ])
    func refuses(text: String) {
        let error = #expect(throws: S3Error.self) { _ = try Self.parse(text) }
        #expect(error?.code == .malformedXML)
    }

    @Test func refusesOtherEncodings() {
        #expect(throws: S3Error.self) { _ = try XMLElement.parse([0x3C, 0x61, 0x3E, 0xFF, 0x3C, 0x2F, 0x61, 0x3E]) }
        #expect(throws: S3Error.self) { _ = try XMLElement.parse([0xFE, 0xFF, 0x00, 0x3C, 0x00, 0x61]) }
    }

    @Test func boundsDepthAndSize() {
        #expect(throws: S3Error.self) { _ = try Self.parse(String(repeating: "<a>", count: 100_000)) }
        #expect(throws: S3Error.self) { _ = try Self.parse("<\(String(repeating: "a", count: 200))/>") }
        #expect(throws: S3Error.self) {
            _ = try XMLElement.parse(Array("<a>\(String(repeating: "<b/>", count: 50))</a>".utf8), maximumElements: 50)
        }
    }

    @Test func survivesEveryTruncationAndChange() {
        let document = Array("<?xml version='1.0'?><a x='1'><b>t&amp;<![CDATA[c]]></b><!-- n --><c/></a>".utf8)
        for position in document.indices {
            #expect(throws: S3Error.self) { _ = try XMLElement.parse(Array(document[..<position])) }
            for byte in [UInt8(0), 0x3C, 0x3E, 0x26, 0xFF] {
                var changed = document
                changed[position] = byte
                _ = try? XMLElement.parse(changed)
            }
        }
    }

    @Test func parsesDeleteObjects() throws {
        let request = try DeleteObjectsRequest(
            parsing: Array(
                "<Delete><Quiet>true</Quiet><Object><Key> a </Key></Object><Object><Key>b</Key></Object></Delete>".utf8)
        )
        #expect(request.entries == [.init(key: " a "), .init(key: "b")])
        #expect(request.isQuiet)
        let exact = try DeleteObjectsRequest(
            parsing: Array(
                """
                <Delete><Object><Key>a</Key><VersionId>v</VersionId><ETag> "e" </ETag></Object></Delete>
                """.utf8)
        )
        #expect(exact.entries == [.init(key: "a", version: "v", eTag: "e")])
        #expect(!exact.isQuiet)
        for condition in ["<Size>1</Size>", "<LastModifiedTime>Tue, 14 Nov 2023 22:13:20 GMT</LastModifiedTime>"] {
            let text = "<Delete><Object><Key>a</Key>\(condition)</Object></Delete>"
            let error = #expect(throws: S3Error.self) { _ = try DeleteObjectsRequest(parsing: Array(text.utf8)) }
            #expect(error?.code == .notImplemented)
        }
        let many = "<Delete>\(String(repeating: "<Object><Key>k</Key></Object>", count: 1001))</Delete>"
        for text in ["<Delete/>", "<Delete><Object/></Delete>", "<Other><Object><Key>a</Key></Object></Other>", many] {
            #expect(throws: S3Error.self) { _ = try DeleteObjectsRequest(parsing: Array(text.utf8)) }
        }
    }

    @Test func parsesCompleteMultipartUpload() throws {
        let request = try CompleteMultipartUploadRequest(
            parsing: Array(
                """
                <CompleteMultipartUpload><Part><ETag>&quot;abc&quot;</ETag><PartNumber> 1 </PartNumber>
                <ChecksumCRC32>AAAAAA==</ChecksumCRC32></Part><Part><PartNumber>3</PartNumber><ETag>d</ETag></Part>
                </CompleteMultipartUpload>
                """.utf8
            )
        )
        #expect(request.parts.map(\.number) == [1, 3])
        #expect(request.parts.map(\.eTag) == ["abc", "d"])
        #expect(request.parts[0].checksums == [.crc32: "AAAAAA=="])
        for text in [
            "<CompleteMultipartUpload/>",
            "<CompleteMultipartUpload><Part><ETag>a</ETag></Part></CompleteMultipartUpload>",
            "<CompleteMultipartUpload><Part><PartNumber>x</PartNumber><ETag>a</ETag></Part></CompleteMultipartUpload>",
        ] {
            #expect(throws: S3Error.self) { _ = try CompleteMultipartUploadRequest(parsing: Array(text.utf8)) }
        }
    }

    @Test func parsesCreateBucket() throws {
        #expect(try CreateBucketRequest(parsing: []).location.isEmpty)
        let text =
            "<CreateBucketConfiguration><LocationConstraint>eu-west-1</LocationConstraint></CreateBucketConfiguration>"
        #expect(try CreateBucketRequest(parsing: Array(text.utf8)).location == "eu-west-1")
        #expect(throws: S3Error.self) { _ = try CreateBucketRequest(parsing: Array("<x/>".utf8)) }
    }

    @Test func escapesAndReadsBack() throws {
        let hostile = "<a & \"b\">\u{1}\r\n\t]]>é\u{1F426}"
        var writer = XMLWriter()
        writer.element("Root", namespace: XMLWriter.s3Namespace) { $0.element("Text", hostile) }
        let root = try XMLElement.parse(writer.bytes)
        #expect(root["Text"]?.text.unicodeScalars.elementsEqual(hostile.unicodeScalars) == true)
    }

    @Test func writesErrors() throws {
        let error = S3Error(.noSuchKey, details: [("Key", "a<b\0")])
        let root = try XMLElement.parse(ErrorDocument(error: error, resource: "/b/k", requestID: "1").xml)
        #expect(root.children.map(\.name) == ["Code", "Message", "Key", "Resource", "RequestId", "HostId"])
        #expect(root["Code"]?.text == "NoSuchKey")
        #expect(root["Key"]?.text == "a<b\u{FFFD}")
    }

    @Test func writesLists() throws {
        let object = ListedObject(
            key: "a b/\u{1}", lastModified: Instant(seconds: 0), eTag: "e", size: 5, checksums: [.crc32],
            checksumType: .fullObject
        )
        var list = ListObjectsResult(
            version: .two(startAfter: "s", token: nil, nextToken: "n"), bucket: "b", prefix: "a ", delimiter: "/",
            maximumKeys: 10, encoding: .url, isTruncated: true, objects: [object], commonPrefixes: ["c d/"], owner: nil
        )
        var root = try XMLElement.parse(list.xml)
        #expect(root["Contents"]?["Key"]?.text == "a%20b/%01")
        #expect(root["Contents"]?["LastModified"]?.text == "1970-01-01T00:00:00.000Z")
        #expect(root["Contents"]?["ETag"]?.text == "\"e\"")
        #expect(root["Contents"]?["Owner"] == nil)
        #expect(root["CommonPrefixes"]?["Prefix"]?.text == "c%20d/")
        #expect(root["KeyCount"]?.text == "2")
        #expect(root["IsTruncated"]?.text == "true")
        list.version = .one(marker: "m", nextMarker: "x")
        list.encoding = .none
        list.owner = OwnerElement(id: "o", displayName: "n")
        root = try XMLElement.parse(list.xml)
        #expect(root["Contents"]?["Key"]?.text == "a b/\u{1}")
        #expect(root["Contents"]?["Owner"]?["ID"]?.text == "o")
        #expect(root["NextMarker"]?.text == "x")
        #expect(root["KeyCount"] == nil)
    }

    @Test func writesTheOtherDocuments() throws {
        let owner = OwnerElement(id: "o", displayName: "n")
        let part = ListPartsResult.Part(
            number: 2, lastModified: Instant(seconds: 0), eTag: "e", size: 1, checksums: [.sha1: "x"]
        )
        var uploads = ListMultipartUploadsResult(bucket: "b", owner: owner, maximumUploads: 1, encoding: .none)
        uploads.uploads = [.init(key: "k", uploadID: "u", initiated: Instant(seconds: 0))]
        uploads.isTruncated = true
        (uploads.nextKeyMarker, uploads.nextUploadIDMarker) = ("k", "u")
        let documents: [(any ResultDocument, String)] = [
            (ListBucketsResult(owner: owner, buckets: [("b", Instant(seconds: 0))]), "ListAllMyBucketsResult"),
            (LocationConstraint(), "LocationConstraint"),
            (VersioningConfiguration(status: nil), "VersioningConfiguration"),
            (CopyResult(kind: .object, eTag: "e", lastModified: Instant(seconds: 0)), "CopyObjectResult"),
            (CopyResult(kind: .part, eTag: "e", lastModified: Instant(seconds: 0)), "CopyPartResult"),
            (
                DeleteResult(deleted: [.init(key: "a")], failed: [(.init(key: "b"), S3Error(.accessDenied))]),
                "DeleteResult"
            ),
            (InitiateMultipartUploadResult(bucket: "b", key: "k", uploadID: "u"), "InitiateMultipartUploadResult"),
            (
                CompleteMultipartUploadResult(
                    location: "/b/k", bucket: "b", key: "k", eTag: "e-1", checksums: [.crc32: "x"],
                    checksumType: .composite
                ), "CompleteMultipartUploadResult"
            ),
            (
                ListPartsResult(
                    bucket: "b", key: "k", uploadID: "u", owner: owner, storageClass: .glacier, marker: 0,
                    maximumParts: 1, isTruncated: false,
                    parts: [part], encoding: .none
                ), "ListPartsResult"
            ),
            (uploads, "ListMultipartUploadsResult"),
        ]
        for (document, name) in documents {
            #expect(try XMLElement.parse(document.xml).name == name)
        }
        #expect(try XMLElement.parse(uploads.xml)["NextUploadIdMarker"]?.text == "u")
    }
}
