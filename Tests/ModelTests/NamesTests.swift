import Testing

@testable import Model

struct NamesTests {
    @Test(arguments: [
        "abc", "a.b", "my-bucket", "1.2.3", "a1b", "256.1.1.1", String(repeating: "a", count: 63), "xn--abc",
        "a-.b",
    ])
    func bucketNames(_ text: String) throws { #expect(try BucketName(text).text == text) }

    @Test(arguments: [
        "", "ab", String(repeating: "a", count: 64), "Abc", "a_b", "a b", "-ab", "ab-", ".ab", "ab.", "a..b",
        "192.168.0.1", "1.2.3.4",
        "a/b", "é12", "a\u{0}b", "аbc", "ab\n",
    ])
    func noBucketNames(_ text: String) { #expect(throws: NameError.self) { try BucketName(text) } }

    @Test(arguments: ["a", "a/b", " ", "日本/é", "../..", "/", "\n", String(repeating: "k", count: 1024)])
    func keys(_ text: String) throws { #expect(try ObjectKey(text).text == text) }

    @Test(arguments: ["", "a\u{0}", String(repeating: "k", count: 1025), String(repeating: "é", count: 513)])
    func noKeys(_ text: String) { #expect(throws: NameError.self) { try ObjectKey(text) } }

    @Test func keysAreTheSameWhereTheirBytesAre() throws {
        let (composed, decomposed) = (try ObjectKey("\u{E9}"), try ObjectKey("e\u{301}"))
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed, try ObjectKey("\u{E9}")]).count == 2)
        #expect(decomposed < composed)
    }

    @Test func keysAreOrderedByBytes() throws {
        let texts = ["\u{1F426}", "a", "é", "B", "a/", "a!", "\u{FF5E}"]
        let sorted = try texts.map { try ObjectKey($0) }.sorted().map(\.text)
        #expect(sorted == ["B", "a", "a!", "a/", "é", "\u{FF5E}", "\u{1F426}"])
    }

    @Test(arguments: [("a/b/c.txt", "c.txt"), ("c.txt", "c.txt"), ("a/", ""), ("/", "")])
    func baseNames(_ key: String, _ name: String) throws { #expect(try ObjectKey(key).baseName == name) }

    @Test(arguments: ["a", "0", "a-b", "shout", String(repeating: "s", count: 39)])
    func serviceNames(_ text: String) throws { #expect(try ServiceName(text).text == text) }

    @Test(arguments: [
        "", "-a", "a-", "A", "a.b", "a_b", "é", "a/b", "a b", "..", String(repeating: "s", count: 40),
    ])
    func noServiceNames(_ text: String) { #expect(throws: NameError.self) { try ServiceName(text) } }

    @Test func jobNamesCutLongServiceNames() throws {
        let short = try ServiceName(String(repeating: "a", count: 24))
        let long = try ServiceName(String(repeating: "b", count: 25))
        #expect(JobName(service: short, unique: "u").text == String(repeating: "a", count: 24) + "-u")
        #expect(JobName(service: long, unique: "u").text == String(repeating: "b", count: 16) + "-u")
    }

    @Test(arguments: ["a", "a-1.B_2", String(repeating: "j", count: 120)])
    func jobNames(_ text: String) throws { #expect(try JobName(text).text == text) }

    @Test(arguments: [
        "", ".", "..", "-a", "a/b", "a b", "é", "a\u{0}", "_a", String(repeating: "j", count: 121),
    ])
    func noJobNames(_ text: String) { #expect(throws: NameError.self) { try JobName(text) } }

    @Test func principalsHaveNames() throws {
        #expect(Principal.administrator(name: "oscar").name == "oscar")
        #expect(Principal.service(try ServiceName("shout")).name == "shout")
        #expect(Principal.anonymous.name == "anonymous")
    }
}
