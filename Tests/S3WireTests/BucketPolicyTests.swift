import Model
import S3Wire
import Testing

/// What policies say, in tables.
@Suite struct BucketPolicyTests {
    static func policy(_ text: String) throws -> BucketPolicy {
        try BucketPolicy(parsing: Array(text.utf8), bucket: "bucket")
    }

    /// A policy of one statement; what is not given is `Allow`, everyone, everything and everywhere.
    static func statement(
        effect: String = #""Allow""#,
        principal: String = #""Principal": "*""#,
        action: String = #""Action": "s3:*""#,
        resource: String = #""Resource": ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"]"#,
        condition: String? = nil,
        version: String = "2012-10-17"
    ) -> String {
        let last = condition.map { ", \"Condition\": \($0)" } ?? ""
        return """
            {"Version": "\(version)", "Statement": [{"Effect": \(effect), \(principal), \(action), \(resource)\(last)}]}
            """
    }

    static let ada = Principal.administrator(name: "ada")
    static let nobody = Principal.anonymous
    static func service(_ name: String) throws -> Principal { .service(try ServiceName(name)) }

    private func verdict(
        _ policy: String,
        _ action: S3Action,
        _ key: String? = nil,
        by principal: Principal = nobody,
        facts: PolicyFacts = [:]
    ) throws -> BucketPolicy.Verdict {
        try Self.policy(policy).verdict(
            on: AccessRequest(action, bucket: "bucket", key: key, facts: facts), by: principal)
    }

    // MARK: What is refused

    @Test(arguments: [
        "", "null", "[]", "{}", "{", #"{"Statement": []}"#, #"{"Statement": {}}"#, #"{"Statement": "x"}"#,
        #"{"Version": "2020-01-01", "Statement": []}"#, #"{"Id": 1, "Statement": []}"#,
        statement(effect: #""allow""#), statement(effect: #""Perhaps""#), statement(effect: "null"),
        statement(principal: #""NotPrincipal": "*""#), statement(principal: #""Principal": "ada""#),
        statement(principal: #""Principal": {}"#), statement(principal: #""Principal": {"AWS": []}"#),
        statement(principal: #""Principal": {"AWS": "ada"}"#), statement(principal: #""Principal": {"Service": "*"}"#),
        statement(principal: #""Principal": {"AWS": "*", "Federated": "*"}"#),
        statement(principal: #""Principal": {"AWS": "arn:aws:iam::1:user/*"}"#),
        statement(principal: #""Principal": {"AWS": "arn:aws:iam::1:role/x"}"#),
        statement(principal: #""Principal": {"AWS": "arn:aws:iam::a:root"}"#),
        statement(principal: #""Principal": ["*"]"#),
        statement(action: #""Action": "GetObject""#), statement(action: #""Action": "s3:Nonsense""#),
        statement(action: #""Action": []"#), statement(action: #""Action": [null]"#),
        statement(action: #""Action": "ec2:*""#), statement(action: #""Action": "s3:Get*", "NotAction": "s3:Put*""#),
        statement(action: #""Sid": "x""#),
        statement(resource: #""Resource": "*""#), statement(resource: #""Resource": "arn:aws:s3:::other/*""#),
        statement(resource: #""Resource": "arn:aws:s3:::bucket2/*""#), statement(resource: #""Resource": "bucket""#),
        statement(resource: #""Resource": "arn:aws:s3:::*""#),
        statement(resource: #""Resource": "arn:aws:s3:::buck*""#),
        statement(resource: #""Sid": "x""#), statement(resource: #""Resource": "arn:aws:s3:::bucket/${aws:nonsense}""#),
        statement(resource: #""Resource": "arn:aws:s3:::bucket/${aws:username""#),
        statement(resource: #""NotResource": "arn:aws:s3:::bucket/${aws:username}""#),
        statement(action: #""Action": "s3:GetObject""#, resource: #""Resource": "arn:aws:s3:::bucket""#),
        statement(action: #""Action": "s3:ListBucket""#, resource: #""Resource": "arn:aws:s3:::bucket/*""#),
        statement(condition: "[]"), statement(condition: #"{"Equals": {"s3:prefix": "a"}}"#),
        statement(condition: #"{"StringEquals": "a"}"#), statement(condition: #"{"StringEquals": {}}"#),
        statement(condition: #"{"StringEquals": {"aws:nonsense": "a"}}"#),
        statement(condition: #"{"StringEquals": {"s3:prefix": []}}"#),
        statement(condition: #"{"StringEquals": {"s3:prefix": {}}}"#),
        statement(condition: #"{"StringNotEquals": {"s3:prefix": "${aws:username}"}}"#),
        statement(condition: #"{"ForAnyValue:StringEquals": {"s3:prefix": "a"}}"#),
        statement(condition: #"{"NullIfExists": {"s3:prefix": "true"}}"#),
        statement(condition: #"{"Null": {"s3:prefix": ["true", "false"]}}"#),
        statement(condition: #"{"Null": {"s3:prefix": "perhaps"}}"#),
        statement(condition: #"{"Bool": {"aws:SecureTransport": "yes"}}"#),
        statement(condition: #"{"IpAddress": {"aws:SourceIp": "10.0.0.0/33"}}"#),
        statement(condition: #"{"IpAddress": {"aws:SourceIp": "10.0.0.256"}}"#),
        statement(condition: #"{"NumericLessThan": {"s3:max-keys": "ten"}}"#),
        statement(condition: #"{"NumericLessThan": {"s3:max-keys": "nan"}}"#),
        statement(condition: #"{"DateLessThan": {"aws:CurrentTime": "tomorrow"}}"#),
        #"{"Statement": [], "Statement": []}"#, #"{"Nonsense": 1, "Statement": []}"#,
        #"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Effect": "Deny"}]}"#,
        statement().replacing(#""Effect""#, with: #""Sid": 1, "Effect""#),
        statement().replacing(#""Effect""#, with: #""Extra": "x", "Effect""#),
    ])
    func refuses(text: String) {
        let error = #expect(throws: S3Error.self, "\(text)") { _ = try Self.policy(text) }
        #expect(error?.code == .malformedPolicy)
    }

    @Test func refusesRepeatedIdentifiersAndTooMuch() throws {
        let one =
            #"{"Sid": "a", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "#
            + #""Resource": "arn:aws:s3:::bucket/*"}"#
        #expect(throws: S3Error.self) { _ = try Self.policy(#"{"Statement": [\#(one), \#(one)]}"#) }
        #expect(try Self.policy(#"{"Statement": \#(one)}"#).statements.count == 1)
        let padding = String(repeating: " ", count: BucketPolicy.maximumLength)
        #expect(throws: S3Error.self) { _ = try Self.policy(#"{"Statement": \#(one)}\#(padding)"#) }
        #expect(throws: S3Error.self) { _ = try Self.policy(String(repeating: "[", count: 20_000)) }
    }

    // MARK: What is decided

    @Test(arguments: [
        (#""Action": "s3:GetObject""#, S3Action.getObject, true), (#""Action": "s3:getobject""#, .getObject, true),
        (#""Action": "S3:GetObject""#, .getObject, true), (#""Action": "s3:GetObject""#, .getObjectVersion, false),
        (#""Action": "s3:Get*""#, .getObjectVersion, true), (#""Action": "s3:Get*""#, .putObject, false),
        (#""Action": "s3:?etObject""#, .getObject, true), (#""Action": "*""#, .deleteBucket, true),
        (#""Action": ["s3:PutObject", "s3:DeleteObject"]"#, .deleteObject, true),
        (#""NotAction": "s3:PutObject""#, .getObject, true), (#""NotAction": "s3:Put*""#, .putObject, false),
        (#""Action": "s3:ListBucket*""#, .listBucketVersions, true),
    ])
    func matchesActions(action: String, asked: S3Action, isAllowed: Bool) throws {
        let text = Self.statement(action: action, resource: #""Resource": "arn:aws:s3:::bucket*""#)
        #expect(try verdict(text, asked, "key") == (isAllowed ? .allowed : .undecided))
    }

    @Test(arguments: [
        ("arn:aws:s3:::bucket/*", "a", true), ("arn:aws:s3:::bucket/*", "a/../b//c", true),
        ("arn:aws:s3:::bucket/*", "é\u{1F426}", true), ("arn:aws:s3:::bucket/a", "a", true),
        ("arn:aws:s3:::bucket/a", "A", false), ("arn:aws:s3:::bucket/a", "ab", false),
        ("arn:aws:s3:::bucket/a*c", "abbbc", true), ("arn:aws:s3:::bucket/a*c", "abbb", false),
        ("arn:aws:s3:::bucket/a*b*c", "aXbXbXc", true), ("arn:aws:s3:::bucket/*/x", "a/b/x", true),
        ("arn:aws:s3:::bucket/a?c", "abc", true), ("arn:aws:s3:::bucket/a?c", "aéc", true),
        ("arn:aws:s3:::bucket/a?c", "ac", false), ("arn:aws:s3:::bucket/a?c", "abbc", false),
        ("arn:aws:s3:::bucket/${aws:username}/*", "ada/x", true),
        ("arn:aws:s3:::bucket/${aws:username}/*", "eve/x", false),
        ("arn:aws:s3:::bucket/${*}", "*", true), ("arn:aws:s3:::bucket/${*}", "a", false),
        ("arn:aws:s3:::bucket/${$}", "$", true), ("arn:aws:s3:::bucket/e\u{301}", "\u{E9}", false),
    ])
    func matchesResources(resource: String, key: String, isAllowed: Bool) throws {
        let text = Self.statement(action: #""Action": "s3:GetObject""#, resource: "\"Resource\": \"\(resource)\"")
        let facts: PolicyFacts = [.userName: "ada"]
        #expect(try verdict(text, .getObject, key, facts: facts) == (isAllowed ? .allowed : .undecided))
        let not = Self.statement(
            action: #""Action": "s3:GetObject""#,
            resource: "\"NotResource\": \"\(resource.replacing("${aws:username}", with: "ada"))\"")
        guard !resource.contains("$") else { return }
        #expect(try verdict(not, .getObject, key) == (isAllowed ? .undecided : .allowed))
    }

    @Test func knowsVariablesOnlyInTheirVersion() throws {
        let resource = #""Resource": "arn:aws:s3:::bucket/${aws:username}""#
        let old = Self.statement(action: #""Action": "s3:GetObject""#, resource: resource, version: "2008-10-17")
        #expect(try verdict(old, .getObject, "ada", facts: [.userName: "ada"]) == .undecided)
        #expect(try verdict(old, .getObject, "${aws:username}") == .allowed)
        let new = Self.statement(action: #""Action": "s3:GetObject""#, resource: resource)
        #expect(try verdict(new, .getObject, "ada", facts: [:]) == .undecided)
        // The value of a variable is no pattern.
        #expect(try verdict(new, .getObject, "anything", facts: [.userName: "*"]) == .undecided)
    }

    @Test func namesPrincipals() throws {
        let table: [(String, Principal, Bool)] = [
            (#""*""#, Self.nobody, true), (#"{"AWS": "*"}"#, Self.nobody, true),
            (#"{"AWS": ["arn:aws:iam::1:user/eve", "*"]}"#, Self.nobody, true),
            (#"{"AWS": "arn:aws:iam::1:user/ada"}"#, Self.nobody, false),
            (#"{"AWS": "arn:aws:iam::1:user/ada"}"#, Self.ada, true),
            (#"{"AWS": "arn:aws:iam:::user/ada"}"#, Self.ada, true),
            (#"{"AWS": "arn:aws:iam::1:user/eve"}"#, Self.ada, false),
            (#"{"AWS": "arn:aws:iam::1:root"}"#, Self.ada, true), (#"{"AWS": "123456789012"}"#, Self.ada, true),
            (#"{"AWS": "arn:aws:iam::1:root"}"#, Self.nobody, false),
            (#"{"AWS": "arn:aws:iam::1:root"}"#, try Self.service("cows"), false),
            (#"{"AWS": "arn:aws:iam::1:user/cows"}"#, try Self.service("cows"), true),
        ]
        for (principal, who, isAllowed) in table {
            let text = Self.statement(principal: "\"Principal\": \(principal)")
            #expect(
                try verdict(text, .getObject, "k", by: who) == (isAllowed ? .allowed : .undecided),
                "\(principal) \(who)")
        }
    }

    @Test(
        arguments: [
            (#"{"StringEquals": {"s3:prefix": "a"}}"#, ["s3:prefix": "a"], true),
            (#"{"StringEquals": {"S3:PREFIX": ["b", "a"]}}"#, ["s3:prefix": "a"], true),
            (#"{"StringEquals": {"s3:prefix": "a"}}"#, ["s3:prefix": "A"], false),
            (#"{"StringEquals": {"s3:prefix": "a*"}}"#, ["s3:prefix": "ab"], false),
            (#"{"StringEquals": {"s3:prefix": "a"}}"#, [:], false),
            (#"{"StringEqualsIfExists": {"s3:prefix": "a"}}"#, [:], true),
            (#"{"StringEqualsIfExists": {"s3:prefix": "a"}}"#, ["s3:prefix": "b"], false),
            (#"{"StringNotEquals": {"s3:prefix": ["a", "b"]}}"#, ["s3:prefix": "b"], false),
            (#"{"StringNotEquals": {"s3:prefix": ["a", "b"]}}"#, ["s3:prefix": "c"], true),
            (#"{"StringNotEquals": {"s3:prefix": "a"}}"#, [:], true),
            (#"{"StringLike": {"s3:prefix": "a/*"}}"#, ["s3:prefix": "a/b"], true),
            (
                #"{"StringLike": {"s3:prefix": "home/${aws:username}/*"}}"#,
                ["s3:prefix": "home/ada/x", "aws:username": "ada"], true
            ),
            (#"{"StringNotLike": {"s3:prefix": "a/*"}}"#, ["s3:prefix": "a/b"], false),
            (#"{"StringEqualsIgnoreCase": {"aws:Referer": "HTTP://A"}}"#, ["aws:Referer": "http://a"], true),
            (#"{"StringNotEqualsIgnoreCase": {"aws:Referer": "HTTP://A"}}"#, ["aws:Referer": "http://a"], false),
            (#"{"Bool": {"aws:SecureTransport": "true"}}"#, ["aws:SecureTransport": "false"], false),
            (#"{"Bool": {"aws:SecureTransport": false}}"#, ["aws:SecureTransport": "false"], true),
            (#"{"Bool": {"aws:SecureTransport": true}}"#, [:], false),
            (#"{"BoolIfExists": {"aws:SecureTransport": true}}"#, [:], true),
            (#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#, ["aws:SourceIp": "10.255.0.1"], true),
            (#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#, ["aws:SourceIp": "11.0.0.1"], false),
            (#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#, ["aws:SourceIp": "::ffff:10.0.0.1"], true),
            (
                #"{"IpAddress": {"aws:SourceIp": ["10.0.0.1", "2001:db8::/33"]}}"#,
                ["aws:SourceIp": "2001:db8:7fff::1"], true
            ),
            (#"{"IpAddress": {"aws:SourceIp": "2001:db8::/33"}}"#, ["aws:SourceIp": "2001:db8:8000::1"], false),
            (#"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#, ["aws:SourceIp": "::1"], false),
            (#"{"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#, ["aws:SourceIp": "11.0.0.1"], true),
            (#"{"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#, ["aws:SourceIp": "nonsense"], true),
            (#"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#, [:], false),
            (#"{"NumericLessThanEquals": {"s3:max-keys": 10}}"#, ["s3:max-keys": "10"], true),
            (#"{"NumericLessThan": {"s3:max-keys": "10"}}"#, ["s3:max-keys": "10"], false),
            (#"{"NumericGreaterThan": {"s3:max-keys": "10"}}"#, ["s3:max-keys": "11"], true),
            (#"{"NumericGreaterThanEquals": {"s3:max-keys": "10"}}"#, ["s3:max-keys": "x"], false),
            (#"{"NumericEquals": {"s3:max-keys": ["1", "2"]}}"#, ["s3:max-keys": "2.0"], true),
            (#"{"NumericNotEquals": {"s3:max-keys": "2"}}"#, ["s3:max-keys": "2"], false),
            (
                #"{"DateLessThan": {"aws:CurrentTime": "2030-01-01T00:00:00Z"}}"#,
                ["aws:CurrentTime": "2029-12-31T23:59:59Z"], true
            ),
            (
                #"{"DateGreaterThan": {"aws:CurrentTime": "2030-01-01"}}"#,
                ["aws:CurrentTime": "2029-12-31T23:59:59Z"], false
            ),
            (#"{"DateGreaterThanEquals": {"aws:EpochTime": "100"}}"#, ["aws:EpochTime": "100"], true),
            (#"{"DateNotEquals": {"aws:EpochTime": 100}}"#, ["aws:EpochTime": "100"], false),
            (#"{"Null": {"s3:x-amz-server-side-encryption": "true"}}"#, [:], true),
            (
                #"{"Null": {"s3:x-amz-server-side-encryption": true}}"#, ["s3:x-amz-server-side-encryption": "AES256"],
                false
            ),
            (
                #"{"Null": {"s3:x-amz-server-side-encryption": "false"}}"#,
                ["s3:x-amz-server-side-encryption": "AES256"], true
            ),
            (
                #"{"StringEquals": {"s3:prefix": "a"}, "Bool": {"aws:SecureTransport": "false"}}"#,
                ["s3:prefix": "a", "aws:SecureTransport": "false"], true
            ),
            (#"{"StringEquals": {"s3:prefix": "a", "s3:delimiter": "/"}}"#, ["s3:prefix": "a"], false),
        ] as [(String, [String: String], Bool)])
    func holdsConditions(condition: String, facts: [String: String], isAllowed: Bool) throws {
        var known: PolicyFacts = [:]
        for (name, value) in facts { known[try #require(PolicyKey(name: name))] = value }
        let text = Self.statement(condition: condition)
        #expect(try verdict(text, .listBucket, facts: known) == (isAllowed ? .allowed : .undecided))
    }

    @Test func deniesFirst() throws {
        let text = #"""
            {"Version": "2012-10-17", "Statement": [
              {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::bucket/*"},
              {"Effect": "Deny", "Principal": "*", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::bucket/keep/*"}
            ]}
            """#
        #expect(try verdict(text, .deleteObject, "other") == .allowed)
        #expect(try verdict(text, .deleteObject, "keep/it") == .denied)
        #expect(try verdict(text, .getObject, "keep/it") == .allowed)
        #expect(try verdict(text, .listBucket) == .undecided)
        #expect(try Self.policy(text).denies)
    }

    @Test(arguments: [
        (statement(), true), (statement(effect: #""Deny""#), false),
        (statement(principal: #""Principal": {"AWS": "arn:aws:iam::1:user/ada"}"#), false),
        (statement(condition: #"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#), false),
        (statement(condition: #"{"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#), true),
        (statement(condition: #"{"IpAddress": {"aws:SourceIp": ["10.0.0.0/8", "::/0"]}}"#), true),
        (statement(condition: #"{"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#), true),
        (statement(condition: #"{"IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"}}"#), true),
        (statement(condition: #"{"StringEquals": {"aws:username": "ada"}}"#), false),
        (statement(condition: #"{"StringLike": {"aws:username": "*"}}"#), true),
        (statement(condition: #"{"StringEquals": {"aws:Referer": "http://a"}}"#), true),
    ])
    func knowsWhatIsPublic(text: String, isPublic: Bool) throws {
        #expect(try Self.policy(text).isPublic == isPublic)
    }

    @Test func matchesHostilePatternsInTime() throws {
        let stars = String(repeating: "a*", count: 500)
        let pattern = WildcardPattern(literalDollars: "\(stars)b")
        #expect(!pattern.matches(String(repeating: "a", count: 1024), [:]))
    }
}
