import Model
import ObjectEngine
import S3Wire
import TestKit
import Testing

/// Buckets of many users.
@Suite struct TenancyTests {
    private static func send(
        _ s3: S3Fixture,
        _ user: String,
        _ method: String,
        _ path: String,
        _ query: KeyValuePairs<String, String> = [:],
        headers: [String: String] = [:],
        body: [UInt8] = []
    ) async throws -> Answer {
        try await s3.send(
            method, path, query, headers: headers, body: body, credentials: S3Fixture.keys(of: user))
    }

    private static func share(
        _ s3: S3Fixture,
        _ bucket: String,
        _ visibility: ServiceDefinition.Visibility,
        _ users: [String] = []
    ) async throws {
        let sharing = Sharing(owner: "", visibility: visibility, allowedUsers: users)
        try await s3.store.set([.sharing: sharing.document], of: try BucketName(bucket))
    }

    /// The buckets that a user sees.
    private static func list(_ s3: S3Fixture, _ user: String) async throws -> [String] {
        let answer = try await send(s3, user, "GET", "/").expect(200)
        return try answer.xml()["Buckets"]?.children.compactMap { $0["Name"]?.text } ?? []
    }

    @Test func usersMakeBucketsOfTheirOwn() async throws {
        try await S3Fixture.run { s3 in
            try await Self.send(s3, "alice", "PUT", "/alices").expect(200)
            try await Self.send(s3, "alice", "PUT", "/alices").expect(200)
            try await Self.send(s3, "bob", "PUT", "/alices").expect(409, .bucketAlreadyExists)
            try await Self.send(s3, "bob", "PUT", "/alices", headers: ["x-amz-acl": "public-read"])
                .expect(403, .accessDenied)
            try await Self.send(s3, "bob", "PUT", "/bucket").expect(409, .bucketAlreadyExists)
            try await Self.send(s3, "bob", "PUT", "/bobs", headers: ["x-amz-acl": "public-read"]).expect(200)
            #expect(try await s3.store.bucket(try BucketName("alices"))?.owner == "alice")
            #expect(try await Self.list(s3, "alice") == ["alices"])
            #expect(try await Self.list(s3, "bob") == ["bobs"])
            #expect(try await Self.list(s3, "carol") == [])
            #expect(try await Self.list(s3, "access") == ["alices", "bobs", "bucket"])
            // Nobody in particular sees and makes none.
            try await s3.sendUnsigned("GET", "/").expect(403, .accessDenied)
            try await s3.sendUnsigned("PUT", "/nobodys").expect(403, .accessDenied)
        }
    }

    /// What is done, and who may where it is shared with them.
    private static let operations:
        [(
            name: String, method: String, path: String, query: KeyValuePairs<String, String>,
            body: String, member: Int, owner: Int
        )] = [
            ("list", "GET", "/alices", ["list-type": "2"], "", 200, 200),
            ("list versions", "GET", "/alices", ["versions": ""], "", 200, 200),
            ("list uploads", "GET", "/alices", ["uploads": ""], "", 200, 200),
            ("head bucket", "HEAD", "/alices", [:], "", 200, 200),
            ("location", "GET", "/alices", ["location": ""], "", 200, 200),
            ("get", "GET", "/alices/cow", [:], "", 200, 200),
            ("head", "HEAD", "/alices/cow", [:], "", 200, 200),
            ("tags of object", "GET", "/alices/cow", ["tagging": ""], "", 200, 200),
            ("put", "PUT", "/alices/calf", [:], "x", 200, 200),
            ("start upload", "POST", "/alices/calf", ["uploads": ""], "", 200, 200),
            ("delete", "DELETE", "/alices/calf", [:], "", 204, 204),
            (
                "delete many", "POST", "/alices", ["delete": ""],
                "<Delete><Object><Key>calf</Key></Object></Delete>", 200, 200
            ),
            ("get policy", "GET", "/alices", ["policy": ""], "", 403, 404),
            (
                "put policy", "PUT", "/alices", ["policy": ""],
                #"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObjectTagging","Resource":"arn:aws:s3:::alices/none"}]}"#,
                403, 204
            ),
            ("delete policy", "DELETE", "/alices", ["policy": ""], "", 403, 204),
            ("public list", "PUT", "/alices/cow", ["acl": ""], "", 403, 400),
            (
                "tag bucket", "PUT", "/alices", ["tagging": ""],
                "<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>", 403, 204
            ),
            ("lifecycle", "GET", "/alices", ["lifecycle": ""], "", 403, 404),
            (
                "versioning", "PUT", "/alices", ["versioning": ""],
                "<VersioningConfiguration><Status>Suspended</Status></VersioningConfiguration>", 403, 200
            ),
            ("remove version", "DELETE", "/alices/calf", ["versionId": "null"], "", 403, 204),
            ("delete bucket", "DELETE", "/alices", [:], "", 403, 409),
        ]

    @Test(arguments: [
        (ServiceDefinition.Visibility.private, ["bob"], false), (.restricted, [String](), false),
        (.restricted, ["carol", "bob"], true), (.public, [], true),
    ])
    func sharing(_ visibility: ServiceDefinition.Visibility, _ users: [String], isMember: Bool) async throws {
        try await S3Fixture.run { s3 in
            try await Self.send(s3, "alice", "PUT", "/alices").expect(200)
            try await Self.send(s3, "alice", "PUT", "/alices/cow", body: Array("moo".utf8)).expect(200)
            try await Self.share(s3, "alices", visibility, users)
            #expect(try await Self.list(s3, "bob") == (isMember ? ["alices"] : []))
            for operation in Self.operations {
                for (user, wanted) in [("bob", isMember ? operation.member : 403), ("alice", operation.owner)] {
                    let answer = try await Self.send(
                        s3, user, operation.method, operation.path, operation.query,
                        headers: operation.body.isEmpty ? [:] : ["content-type": "text/plain"],
                        body: Array(operation.body.utf8))
                    if operation.name == "delete many", wanted == 403 {
                        // As S3 does: each key has an answer of its own.
                        #expect(answer.status == 200 && answer.text.contains("<Code>AccessDenied</Code>"))
                        #expect(!answer.text.contains("<Deleted>"))
                        continue
                    }
                    #expect(answer.status == wanted, "\(operation.name) by \(user): \(answer.text)")
                }
            }
            // Shared with users is not shared with everybody.
            try await s3.sendUnsigned("GET", "/alices/cow").expect(403, .accessDenied)
        }
    }

    @Test func deletionsOfManyAreJudgedOneByOne() async throws {
        try await S3Fixture.run { s3 in
            try await Self.send(s3, "alice", "PUT", "/alices").expect(200)
            try await Self.send(s3, "alice", "PUT", "/alices/cow", body: Array("moo".utf8)).expect(200)
            let body = Array("<Delete><Object><Key>cow</Key></Object></Delete>".utf8)
            let answer = try await Self.send(s3, "bob", "POST", "/alices", ["delete": ""], body: body).expect(200)
            #expect(try answer.text("Error", "Code") == "AccessDenied")
            try await Self.send(s3, "alice", "GET", "/alices/cow").expect(200)
        }
    }

    @Test func copiesNeedBothSides() async throws {
        try await S3Fixture.run { s3 in
            for user in ["alice", "bob"] { try await Self.send(s3, user, "PUT", "/\(user)s").expect(200) }
            try await Self.send(s3, "alice", "PUT", "/alices/cow", body: Array("moo".utf8)).expect(200)
            let source = ["x-amz-copy-source": "/alices/cow"]
            let part: KeyValuePairs = ["partNumber": "1", "uploadId": "1"]
            try await Self.send(s3, "bob", "PUT", "/bobs/cow", headers: source).expect(403, .accessDenied)
            try await Self.send(s3, "bob", "PUT", "/bobs/cow", part, headers: source).expect(403, .accessDenied)
            try await Self.send(s3, "alice", "PUT", "/bobs/cow", headers: source).expect(403, .accessDenied)
            try await Self.share(s3, "alices", .restricted, ["bob"])
            try await Self.send(s3, "bob", "PUT", "/bobs/cow", headers: source).expect(200)
        }
    }

    /// A link is good for what its maker may do when it is used, and no more.
    @Test func linksAreTheirMakers() async throws {
        try await S3Fixture.run { s3 in
            try await Self.send(s3, "alice", "PUT", "/alices").expect(200)
            try await Self.send(s3, "alice", "PUT", "/alices/cow", body: Array("moo".utf8)).expect(200)
            func use(_ user: String, _ method: String, _ path: String) async throws -> Int {
                let link = s3.presigned(method, path, credentials: S3Fixture.keys(of: user))
                return try await s3.sendUnsigned(method, link, body: Array("x".utf8)).status
            }
            #expect(try await use("alice", "GET", "/alices/cow") == 200)
            for (method, path) in [("GET", "/alices/cow"), ("PUT", "/alices/cow"), ("DELETE", "/alices/cow")] {
                #expect(try await use("bob", method, path) == 403)
            }
            try await Self.share(s3, "alices", .public)
            #expect(try await use("bob", "GET", "/alices/cow") == 200)
            try await Self.share(s3, "alices", .private)
            #expect(try await use("bob", "GET", "/alices/cow") == 403)
        }
    }

    /// From memory, too, only those get an object who may read it.
    @Test func memoryTellsNobodyElse() async throws {
        try await S3Fixture.run { s3 in
            try await Self.send(s3, "alice", "PUT", "/alices").expect(200)
            try await Self.send(s3, "alice", "PUT", "/alices/cow", body: Array("moo".utf8)).expect(200)
            for _ in 0..<3 { try await Self.send(s3, "alice", "GET", "/alices/cow").expect(200) }
            let hot = try await Self.send(s3, "alice", "GET", "/alices/cow").expect(200)
            #expect(hot.header("server") == S3Fixture.nameInHotAnswers)
            #expect(hot.text == "moo")
            for user in ["bob", "carol"] {
                try await Self.send(s3, user, "GET", "/alices/cow").expect(403, .accessDenied)
            }
            try await Self.share(s3, "alices", .restricted, ["bob"])
            try await Self.send(s3, "bob", "GET", "/alices/cow").expect(200)
            let shared = try await Self.send(s3, "bob", "GET", "/alices/cow").expect(200)
            #expect(shared.header("server") == S3Fixture.nameInHotAnswers)
            try await Self.send(s3, "carol", "GET", "/alices/cow").expect(403, .accessDenied)
        }
    }

    /// A policy gives others rights, but never the policy itself, and never keeps its owner from it.
    @Test func policiesGiveNotThemselvesAway() async throws {
        try await S3Fixture.run { s3 in
            try await Self.send(s3, "alice", "PUT", "/alices").expect(200)
            try await Self.send(s3, "alice", "PUT", "/alices/cow", body: Array("moo".utf8)).expect(200)
            func policy(_ effect: String, _ user: String) -> [UInt8] {
                Array(
                    """
                    {"Version":"2012-10-17","Statement":[{"Effect":"\(effect)",\
                    "Principal":{"AWS":"arn:aws:iam:::user/\(user)"},"Action":"s3:*",\
                    "Resource":["arn:aws:s3:::alices","arn:aws:s3:::alices/*"]}]}
                    """.utf8)
            }
            let put: KeyValuePairs = ["policy": ""]
            try await Self.send(s3, "alice", "PUT", "/alices", put, body: policy("Allow", "bob")).expect(204)
            try await Self.send(s3, "bob", "GET", "/alices/cow").expect(200)
            try await Self.send(s3, "carol", "GET", "/alices/cow").expect(403)
            try await Self.send(s3, "bob", "PUT", "/alices", put, body: policy("Allow", "carol")).expect(403)
            try await Self.send(s3, "bob", "DELETE", "/alices", put).expect(403)
            try await Self.send(s3, "alice", "PUT", "/alices", put, body: policy("Deny", "alice")).expect(204)
            try await Self.send(s3, "alice", "GET", "/alices/cow").expect(403)
            try await Self.send(s3, "alice", "DELETE", "/alices", put).expect(204)
            try await Self.send(s3, "alice", "GET", "/alices/cow").expect(200)
        }
    }

    /// Random users, buckets and operations against the rule that only owners and members come through.
    @Test func nothingCrossesTenants() async throws {
        try await S3Fixture.run { s3 in
            let users = ["alice", "bob", "carol"]
            var random = SeededGenerator(seed: 612)
            var shared: [String: Sharing] = [:]
            for owner in users {
                try await Self.send(s3, owner, "PUT", "/\(owner)s").expect(200)
                try await Self.send(s3, owner, "PUT", "/\(owner)s/cow", body: Array(owner.utf8)).expect(200)
                shared[owner] = Sharing(owner: owner)
            }
            for step in 0..<300 {
                let (user, owner) = (users.randomElement(using: &random)!, users.randomElement(using: &random)!)
                if step % 10 == 0 {
                    let visibility = ServiceDefinition.Visibility.allCases.randomElement(using: &random)!
                    let allowed = users.filter { _ in Bool.random(using: &random) }
                    shared[owner] = Sharing(owner: owner, visibility: visibility, allowedUsers: allowed)
                    try await Self.share(s3, "\(owner)s", visibility, allowed)
                }
                let sharing = try #require(shared[owner])
                let isMember =
                    user == owner || sharing.visibility == .public
                    || sharing.visibility == .restricted && sharing.allowedUsers.contains(user)
                let operations = Self.operations.dropLast().filter { $0.method != "HEAD" }
                let operation = operations.randomElement(using: &random)!
                let path = operation.path.replacing("/alices", with: "/\(owner)s")
                let answer = try await Self.send(
                    s3, user, operation.method, path, operation.query,
                    body: Array(operation.body.replacing("alices", with: "\(owner)s").utf8))
                let wanted = user == owner ? operation.owner : isMember ? operation.member : 403
                let isDenied = answer.status == 403 || answer.text.contains("AccessDenied")
                #expect(isDenied == (wanted == 403), "\(step): \(operation.name) by \(user): \(answer.text)")
                if isDenied { #expect(!answer.text.contains("<Contents>") && answer.text != owner) }
            }
        }
    }
}
