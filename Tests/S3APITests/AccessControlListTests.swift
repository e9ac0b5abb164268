import Model
import S3Wire
import Testing

@Suite struct AccessControlListTests {
    private static let everyone = "http://acs.amazonaws.com/groups/global/AllUsers"

    private func grants(_ s3: S3Fixture, _ path: String) async throws -> [String] {
        let answer = try await s3.send("GET", path, ["acl": ""]).expect(200)
        return try answer.xml()["AccessControlList"]?.all("Grant").map {
            "\($0["Grantee"]?["URI"]?.text ?? $0["Grantee"]?["ID"]?.text ?? "") \($0["Permission"]?.text ?? "")"
        } ?? []
    }

    @Test func keepsListsOfBuckets() async throws {
        try await S3Fixture.run { s3 in
            #expect(try await grants(s3, "/bucket") == ["somebody FULL_CONTROL"])
            try await s3.send("PUT", "/bucket/a", body: [1]).expect(200)
            try await s3.sendUnsigned("GET", "/bucket").expect(403, .accessDenied)
            try await s3.send("PUT", "/bucket", ["acl": ""], headers: ["x-amz-acl": "public-read"]).expect(200)
            #expect(
                try await grants(s3, "/bucket")
                    == ["somebody FULL_CONTROL", "\(Self.everyone) READ"])
            try await s3.sendUnsigned("GET", "/bucket").expect(200)
            try await s3.sendUnsigned("HEAD", "/bucket").expect(200)
            // The list of a bucket is not that of its objects.
            try await s3.sendUnsigned("GET", "/bucket/a").expect(403, .accessDenied)
            try await s3.sendUnsigned("GET", "/bucket/missing").expect(403, .accessDenied)
            try await s3.sendUnsigned("PUT", "/bucket/b", body: [1]).expect(403, .accessDenied)
            try await s3.sendUnsigned("GET", "/bucket?acl").expect(403, .accessDenied)
            try await s3.send("PUT", "/second", headers: ["x-amz-acl": "public-read-write"]).expect(200)
            try await s3.sendUnsigned("PUT", "/second/b", body: [1]).expect(200)
            try await s3.sendUnsigned("DELETE", "/second/b").expect(403, .accessDenied)
            try await s3.send("PUT", "/second", ["acl": ""], headers: ["x-amz-acl": "authenticated-read"]).expect(200)
            try await s3.sendUnsigned("GET", "/second").expect(403, .accessDenied)
            try await s3.send("GET", "/second", credentials: AccessTests.cows).expect(200)
            try await s3.send("PUT", "/second", ["acl": ""], headers: ["x-amz-acl": "private"]).expect(200)
            try await s3.send("GET", "/second", credentials: AccessTests.cows).expect(403, .accessDenied)
            try await s3.send("GET", "/missing", ["acl": ""]).expect(404, .noSuchBucket)
        }
    }

    @Test func keepsListsOfObjects() async throws {
        try await S3Fixture.run { s3 in
            let open = ["x-amz-acl": "public-read"]
            try await s3.send("PUT", "/bucket/a", headers: open, body: [1, 2]).expect(200)
            #expect(try await s3.sendUnsigned("GET", "/bucket/a").expect(200).body == [1, 2])
            #expect(
                try await grants(s3, "/bucket/a")
                    == ["somebody FULL_CONTROL", "\(Self.everyone) READ"])
            // A copy is as open as its maker says, whatever its source is.
            try await s3.send("PUT", "/bucket/b", headers: ["x-amz-copy-source": "/bucket/a"]).expect(200)
            try await s3.sendUnsigned("GET", "/bucket/b").expect(403, .accessDenied)
            let copy = ["x-amz-copy-source": "/bucket/b", "x-amz-acl": "public-read"]
            try await s3.send("PUT", "/bucket/c", headers: copy).expect(200)
            try await s3.sendUnsigned("GET", "/bucket/c").expect(200)
            // Overwriting closes.
            try await s3.send("PUT", "/bucket/a", body: [3]).expect(200)
            try await s3.sendUnsigned("GET", "/bucket/a").expect(403, .accessDenied)
            let before = try await s3.send("HEAD", "/bucket/a").header("last-modified")
            try await s3.send("PUT", "/bucket/a", ["acl": ""], headers: open).expect(200)
            let after = try await s3.sendUnsigned("GET", "/bucket/a").expect(200)
            #expect(after.body == [3])
            #expect(after.header("last-modified") == before)
            try await s3.send("PUT", "/bucket/missing", ["acl": ""], headers: open).expect(404, .noSuchKey)
            try await s3.send("GET", "/bucket/missing", ["acl": ""]).expect(404, .noSuchKey)
            let upload = try await s3.send("POST", "/bucket/d", ["uploads": ""], headers: open).expect(200)
            let id = try #require(try upload.text("UploadId"))
            let part = try await s3.send("PUT", "/bucket/d", ["uploadId": id, "partNumber": "1"], body: [4]).expect(200)
            let list =
                "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\(part.header("etag") ?? "")</ETag>"
                + "</Part></CompleteMultipartUpload>"
            try await s3.send("POST", "/bucket/d", ["uploadId": id], body: Array(list.utf8)).expect(200)
            #expect(try await s3.sendUnsigned("GET", "/bucket/d").expect(200).body == [4])
        }
    }

    @Test func takesDocumentsAndGrants() async throws {
        try await S3Fixture.run { s3 in
            let document = AccessControlPolicy(
                owner: OwnerElement(id: "somebody", displayName: ""), list: .publicRead
            ).xml
            try await s3.send("PUT", "/bucket", ["acl": ""], body: document).expect(200)
            try await s3.sendUnsigned("GET", "/bucket").expect(200)
            let foreign = String(decoding: document, as: UTF8.self).replacing("somebody", with: "other")
            try await s3.send("PUT", "/bucket", ["acl": ""], body: Array(foreign.utf8)).expect(501, .notImplemented)
            try await s3.send("PUT", "/bucket", ["acl": ""], body: Array("<x/>".utf8)).expect(400, .malformedACL)
            try await s3.send("PUT", "/bucket", ["acl": ""]).expect(400, .missingRequestBody)
            try await s3.send("PUT", "/bucket", ["acl": ""], headers: ["x-amz-acl": "private"], body: document)
                .expect(400, .unexpectedContent)
            let grant = ["x-amz-grant-read": "uri=\"\(Self.everyone)\""]
            try await s3.send("PUT", "/bucket/a", headers: grant, body: [1]).expect(200)
            try await s3.sendUnsigned("GET", "/bucket/a").expect(200)
            try await s3.send("PUT", "/bucket/a", headers: ["x-amz-grant-read": "id=\"eve\""], body: [1])
                .expect(501, .notImplemented)
        }
    }

    @Test func canBeTurnedOff() async throws {
        try await S3Fixture.run { s3 in
            func own(_ ownership: String) async throws -> Answer {
                let body =
                    "<OwnershipControls><Rule><ObjectOwnership>\(ownership)</ObjectOwnership></Rule></OwnershipControls>"
                return try await s3.send("PUT", "/bucket", ["ownershipControls": ""], body: Array(body.utf8))
            }
            try await s3.send("GET", "/bucket", ["ownershipControls": ""]).expect(404, .ownershipControlsNotFound)
            try await s3.send("PUT", "/bucket/a", headers: ["x-amz-acl": "public-read"], body: [1]).expect(200)
            try await own("BucketOwnerEnforced").expect(200)
            try await own("Nonsense").expect(400, .malformedXML)
            let got = try await s3.send("GET", "/bucket", ["ownershipControls": ""]).expect(200)
            #expect(try got.text("Rule", "ObjectOwnership") == "BucketOwnerEnforced")
            try await s3.sendUnsigned("GET", "/bucket/a").expect(403, .accessDenied)
            try await s3.send("PUT", "/bucket/a", headers: ["x-amz-acl": "public-read"], body: [1])
                .expect(400, .accessControlListNotSupported)
            try await s3.send("PUT", "/bucket/a", headers: ["x-amz-acl": "bucket-owner-full-control"], body: [1])
                .expect(200)
            try await s3.send("DELETE", "/bucket", ["ownershipControls": ""]).expect(204)
            try await s3.send("PUT", "/bucket", ["acl": ""], headers: ["x-amz-acl": "public-read"]).expect(200)
            try await own("BucketOwnerEnforced").expect(400, .invalidBucketAclWithObjectOwnership)
            let enforced = ["x-amz-object-ownership": "BucketOwnerEnforced"]
            try await s3.send("PUT", "/second", headers: enforced).expect(200)
            try await s3.send("GET", "/second", ["ownershipControls": ""]).expect(200)
            try await s3.send("PUT", "/third", headers: enforced.merging(["x-amz-acl": "public-read"]) { $1 })
                .expect(400, .invalidBucketAclWithObjectOwnership)
        }
    }
}
