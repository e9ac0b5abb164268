import Glibc
import Model
import SystemPackage
import Testing

@testable import Identity

@Suite struct CredentialFileTests {
    private func prepare(_ file: CredentialFile, _ given: GivenCredentials = GivenCredentials()) throws
        -> CredentialFile.Outcome
    {
        try file.prepare(given: given, endpoint: "http://127.0.0.1:8080", s3Endpoint: "http://127.0.0.1:9000")
    }

    @Test func makesCredentialsOnceAndKeepsThem() throws {
        try withTemporaryDirectory { directory in
            let file = CredentialFile(dataDirectory: directory)
            #expect(try file.read() == nil)
            let first = try prepare(file)
            #expect(first.isNew)
            #expect(first.warnings.isEmpty)
            #expect(first.credentials.username == "oscar")
            #expect(first.credentials.password.utf8.count == 24)
            #expect(mode(of: file.path) == 0o600)
            let second = try prepare(file)
            #expect(!second.isNew)
            #expect(second.credentials == first.credentials)
            #expect(try file.read() == first.content)
        }
    }

    @Test func writesTheDocumentedKeys() throws {
        try withTemporaryDirectory { directory in
            let file = CredentialFile(dataDirectory: directory)
            let given = GivenCredentials(
                username: "ann",
                password: "p:\"ü",
                s3AccessKey: "AKAK",
                s3SecretKey: "SECRETSECRET"
            )
            #expect(try !prepare(file, given).isNew)
            let object = try #require(try JSONValue.parse(try read(file.path)).objectValue)
            #expect(
                object.keys == [
                    "endpoint", "s3_endpoint", "username", "password", "s3_access_key", "s3_secret_key",
                ]
            )
            #expect(object["password"]?.stringValue == "p:\"ü")
            #expect(object["s3_endpoint"]?.stringValue == "http://127.0.0.1:9000")
        }
    }

    @Test func letsTheEnvironmentWinAndKeepsTheRest() throws {
        try withTemporaryDirectory { directory in
            let file = CredentialFile(dataDirectory: directory)
            let first = try prepare(file).credentials
            let second = try prepare(file, GivenCredentials(username: "ann", password: "secret")).credentials
            #expect(second.username == "ann")
            #expect(second.password == "secret")
            #expect(second.s3SecretKey == first.s3SecretKey)
            #expect(try prepare(file).credentials == second)
        }
    }

    @Test func followsNewAddresses() throws {
        try withTemporaryDirectory { directory in
            let file = CredentialFile(dataDirectory: directory)
            let first = try prepare(file).content
            var moved = first
            moved.endpoint = "http://10.0.0.1:80"
            try file.write(moved)
            #expect(try file.read() == moved)
            #expect(mode(of: file.path) == 0o600)
        }
    }

    @Test func tightensAFileThatOthersCanRead() throws {
        try withTemporaryDirectory { directory in
            let file = CredentialFile(dataDirectory: directory)
            let first = try prepare(file).credentials
            #expect(chmod(file.path.string, 0o644) == 0)
            let second = try prepare(file)
            #expect(second.credentials == first)
            #expect(second.warnings.count == 1)
            #expect(second.warnings[0].contains(file.path.string))
            #expect(!second.warnings[0].contains(first.password))
            #expect(mode(of: file.path) == 0o600)
        }
    }

    @Test func survivesAStartThatDiedWhileWriting() throws {
        try withTemporaryDirectory { directory in
            let file = CredentialFile(dataDirectory: directory)
            try write("half a fi", to: directory.appending("credentials.json.new"), mode: 0o666)
            _ = try prepare(file)
            #expect(mode(of: file.path) == 0o600)
            #expect(mode(of: directory.appending("credentials.json.new")) == 0)
        }
    }

    @Test(arguments: [
        "", "{", "[]", "null", "{}", #"{"endpoint":1}"#,
        #"{"endpoint":"","s3_endpoint":"","username":"a:b","password":"p","s3_access_key":"AKA","#
            + #""s3_secret_key":"12345678"}"#,
        #"{"endpoint":"","s3_endpoint":"","username":"a","password":"","s3_access_key":"AKA","#
            + #""s3_secret_key":"12345678"}"#,
        #"{"endpoint":"","s3_endpoint":"","username":"a","password":"p","s3_access_key":"AKA"}"#,
        "\u{0}\u{1}\u{2}", String(repeating: "[", count: 60_000), String(repeating: " ", count: 70_000),
    ])
    func namesAMalformedFileAndLeavesIt(text: String) throws {
        try withTemporaryDirectory { directory in
            let file = CredentialFile(dataDirectory: directory)
            try write(text, to: file.path)
            let error = #expect(throws: IdentityError.self) { try prepare(file) }
            #expect(error?.code == .malformedFile)
            #expect(error?.message.contains(file.path.string) == true)
            #expect(try read(file.path) == text)
        }
    }

    @Test func refusesWhatIsNoPlainFile() throws {
        try withTemporaryDirectory { directory in
            let file = CredentialFile(dataDirectory: directory)
            try #require(mkfifo(file.path.string, 0o600) == 0)
            #expect(throws: IdentityError.self) { try prepare(file) }
            #expect(unlink(file.path.string) == 0)
            #expect(mkdir(file.path.string, 0o700) == 0)
            #expect(throws: IdentityError.self) { try prepare(file) }
        }
    }

    @Test func saysWhereItCannotWrite() throws {
        let file = CredentialFile(dataDirectory: "/nonexistent/apus")
        let error = #expect(throws: IdentityError.self) { try prepare(file) }
        #expect(error?.code == .unwritable)
        #expect(error?.message.contains("/nonexistent/apus/credentials.json") == true)
    }

    @Test(arguments: [
        (GivenCredentials(username: ""), "user name"), (GivenCredentials(username: "a:b"), "user name"),
        (GivenCredentials(username: String(repeating: "x", count: 129)), "user name"),
        (GivenCredentials(password: ""), "password"), (GivenCredentials(password: "a\nb"), "password"),
        (GivenCredentials(s3AccessKey: "A/B"), "S3 access key"),
        (GivenCredentials(s3AccessKey: "AK"), "S3 access key"),
        (GivenCredentials(s3SecretKey: "short"), "S3 secret key"),
        (GivenCredentials(s3SecretKey: String(repeating: "x", count: 1_000_000)), "S3 secret key"),
    ])
    func namesAnInvalidValueWithoutShowingIt(given: GivenCredentials, name: String) throws {
        try withTemporaryDirectory { directory in
            let file = CredentialFile(dataDirectory: directory)
            let error = #expect(throws: IdentityError.self) { try prepare(file, given) }
            #expect(error?.code == .invalidValue)
            #expect(error?.message.contains(name) == true)
            #expect(error?.message.contains("short") == false)
            let stored = try file.read()
            #expect(stored == nil)
        }
    }
}

@Suite struct SecretTests {
    @Test func makesDifferentSecretsOfTheRightForm() {
        let passwords = Set((0..<100).map { _ in Secret.makePassword() })
        #expect(passwords.count == 100)
        #expect(
            passwords.allSatisfy {
                $0.utf8.count == 24 && $0.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
            }
        )
        #expect(Secret.makeAccessKey().utf8.count == 20)
        #expect(Secret.makeSecretKey().utf8.count == 40)
        let tokens = Set((0..<100).map { _ in ServiceToken.make() })
        #expect(tokens.count == 100)
        #expect(tokens.allSatisfy { ServiceToken.isWellFormed($0) && $0 == $0.lowercased() })
    }

    @Test(arguments: [
        ("a", "a", true), ("a", "b", false), ("", "", true), ("a", "aa", false),
        ("\u{E9}", "e\u{301}", false),
    ])
    func comparesBytes(one: String, other: String, same: Bool) { #expect(Secret.matches(one, other) == same) }
}
