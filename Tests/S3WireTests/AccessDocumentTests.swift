import Model
import S3Wire
import Testing

/// The XML documents about access, and the headers that say the same.
@Suite struct AccessDocumentTests {
    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    @Test func readsPublicAccessBlocks() throws {
        let block = try PublicAccessBlock(
            parsing: bytes(
                "<PublicAccessBlockConfiguration><BlockPublicAcls>TRUE</BlockPublicAcls>"
                    + "<RestrictPublicBuckets>true</RestrictPublicBuckets></PublicAccessBlockConfiguration>"))
        #expect(block.blocksPublicLists && block.restrictsPublicBuckets)
        #expect(!block.ignoresPublicLists && !block.blocksPublicPolicy)
        #expect(try PublicAccessBlock(parsing: block.xml) == block)
        for text in [
            "<x/>", "<PublicAccessBlockConfiguration><X>true</X></PublicAccessBlockConfiguration>",
            "<PublicAccessBlockConfiguration><BlockPublicAcls>1</BlockPublicAcls></PublicAccessBlockConfiguration>",
        ] {
            #expect(throws: S3Error.self) { _ = try PublicAccessBlock(parsing: bytes(text)) }
        }
    }

    @Test(arguments: ObjectOwnership.allCases) func readsOwnership(ownership: ObjectOwnership) throws {
        #expect(try ObjectOwnership(parsing: ownership.xml) == ownership)
        #expect(throws: S3Error.self) {
            _ = try ObjectOwnership(parsing: bytes("<OwnershipControls><Rule/></OwnershipControls>"))
        }
    }

    @Test(arguments: CannedAccessControl.allCases) func readsItsOwnLists(list: CannedAccessControl) throws {
        let owner = OwnerElement(id: "ada", displayName: "ada")
        let document = AccessControlPolicy(owner: owner, list: list).xml
        #expect(try CannedAccessControl(parsing: document, owner: "ada") == list)
        #expect(throws: S3Error.self) { _ = try CannedAccessControl(parsing: document, owner: "eve") }
        #expect(try XMLElement.parse(document)["AccessControlList"]?.all("Grant").count == list.grants.count + 1)
    }

    private func grants(_ grants: String) -> [UInt8] {
        bytes(
            "<AccessControlPolicy><Owner><ID>ada</ID></Owner><AccessControlList>\(grants)</AccessControlList>"
                + "</AccessControlPolicy>")
    }

    @Test(arguments: [
        ("", S3ErrorCode.notImplemented),
        ("<Grant><Grantee><ID>eve</ID></Grantee><Permission>READ</Permission></Grant>", .notImplemented),
        ("<Grant><Grantee><ID>ada</ID></Grantee><Permission>READ</Permission></Grant>", .notImplemented),
        (
            "<Grant><Grantee><EmailAddress>a@b</EmailAddress></Grantee><Permission>READ</Permission></Grant>",
            .notImplemented
        ),
        ("<Grant><Grantee><URI>http://nonsense</URI></Grantee><Permission>READ</Permission></Grant>", .notImplemented),
        ("<Grant><Grantee><ID>ada</ID></Grantee><Permission>EAT</Permission></Grant>", .malformedACL),
        ("<Grant><Permission>READ</Permission></Grant>", .malformedACL),
        ("<Grant><Grantee/><Permission>READ</Permission></Grant>", .malformedACL),
    ])
    func refusesOtherLists(text: String, code: S3ErrorCode) {
        let error = #expect(throws: S3Error.self) { _ = try CannedAccessControl(parsing: grants(text), owner: "ada") }
        #expect(error?.code == code)
    }

    @Test(
        arguments: [
            ([], nil, nil), ([("x-amz-acl", "private")], CannedAccessControl.private, nil),
            ([("x-amz-acl", "bucket-owner-full-control")], .private, nil),
            ([("x-amz-acl", "public-read")], .publicRead, nil),
            ([("x-amz-acl", "Public-Read")], nil, S3ErrorCode.invalidArgument),
            ([("x-amz-acl", "log-delivery-write")], nil, .invalidArgument),
            ([("x-amz-grant-full-control", #"id="ada""#)], .private, nil),
            ([("x-amz-grant-read", #"uri="http://acs.amazonaws.com/groups/global/AllUsers""#)], .publicRead, nil),
            (
                [
                    ("x-amz-grant-full-control", "id=ada"),
                    ("x-amz-grant-read", #"id="ada", uri="http://acs.amazonaws.com/groups/global/AllUsers""#),
                    ("x-amz-grant-write", #"uri="http://acs.amazonaws.com/groups/global/AllUsers""#),
                ], .publicReadWrite, nil
            ),
            ([("x-amz-grant-write", #"uri="http://acs.amazonaws.com/groups/global/AllUsers""#)], nil, .notImplemented),
            ([("x-amz-grant-read", #"id="eve""#)], nil, .notImplemented),
            ([("x-amz-grant-read", #"emailAddress="a@b""#)], nil, .notImplemented),
            ([("x-amz-grant-read", "nonsense")], nil, .invalidArgument),
            ([("x-amz-grant-eat", #"id="ada""#)], nil, .invalidArgument),
            ([("x-amz-acl", "private"), ("x-amz-grant-read", #"id="ada""#)], nil, .invalidRequest),
        ] as [([(String, String)], CannedAccessControl?, S3ErrorCode?)])
    func readsHeaders(headers: [(String, String)], list: CannedAccessControl?, code: S3ErrorCode?) throws {
        let request = try ReceivedRequest(method: "PUT", target: "/b/k", headers: headers.map { ($0.0, $0.1) })
        do throws(S3Error) {
            let read = try CannedAccessControl(headersOf: request, owner: "ada")
            #expect(read == list && code == nil)
        } catch {
            #expect(error.code == code)
        }
    }

    @Test(arguments: [
        ("192.0.2.1", "192.0.2.1", true), ("192.0.2.0/24", "192.0.2.255", true), ("192.0.2.0/24", "192.0.3.0", false),
        ("192.0.2.77/25", "192.0.2.1", true), ("192.0.2.77/25", "192.0.2.128", false), ("0.0.0.0/0", "1.2.3.4", true),
        ("::/0", "fe80::1", true), ("::/0", "1.2.3.4", false), ("::1", "::1", true), ("::1", "0:0:0:0:0:0:0:1", true),
        ("1::", "1:0:0:0:0:0:0:0", true), ("2001:db8::/32", "2001:DB8:ffff::", true),
        ("::ffff:1.2.3.4", "1.2.3.4", true), ("1::8", "1:0:0:0:0:0:0:8", true), ("10.0.0.0/8", "", false),
    ])
    func knowsNetworks(network: String, address: String, isInside: Bool) throws {
        #expect(try #require(IPNetwork(network)).contains(address) == isInside)
    }

    @Test(arguments: [
        "", "/", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.4/33", "1.2.3.4/", "1.2.3.4/-1", "1.2.3.4/8/8",
        "1.2.3.4/08", ":", ":::", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "::1::", "1::2::3", "12345::", "g::", "::/129",
        ":1::", "1:", "fe80::1%eth0", "::1.2.3", "1.2.3.4::", "+1.2.3.4", " 1.2.3.4", "1::2:3:4:5:6:7:8",
    ])
    func refusesWhatIsNoNetwork(text: String) { #expect(IPNetwork(text) == nil) }
}
