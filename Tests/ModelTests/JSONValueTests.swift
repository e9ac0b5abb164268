import TestKit
import Testing

@testable import Model

struct JSONValueTests {
    @Test(arguments: [
        ("null", JSONValue.null), (" true\n", .bool(true)), ("false", .bool(false)), ("0", .number("0")),
        ("-0", .number("-0")), ("1.50", .number("1.50")), ("1e3", .number("1e3")),
        ("-12E-07", .number("-12E-07")),
        ("\"\"", .string("")), (#""a\n\t\r\b\f\/\\\"""#, .string("a\n\t\r\u{8}\u{C}/\\\"")),
        (#""\u00e9\u65e5""#, .string("é日")), (#""\ud83d\udc26""#, .string("\u{1F426}")),
        (#""\ud83dx""#, .string("\u{FFFD}x")), (#""\udc26""#, .string("\u{FFFD}")),
        (#""\ud83d\u0041""#, .string("\u{FFFD}A")), ("[]", .array([])),
        ("[ 1 , [ ] ]", .array([.number("1"), .array([])])),
        ("{}", .object([:])), (#"{ "b" : 1 , "a" : null }"#, .object(["b": .number("1"), "a": .null])),
    ])
    func parses(_ text: String, _ value: JSONValue) throws {
        #expect(try JSONValue.parse(text) == value)
    }

    @Test(arguments: [
        "{", "[", "\"", "\"\\", "\"\\u12", "\"\\x\"", "\"\n\"", "[1,]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}",
        "{'a':1}", "[1 2]",
        "01", "1.", ".5", "+1", "1e", "1e+", "--1", "0x10", "NaN", "Infinity", "nul", "truex", "1 2", "{}{}",
        "//", "\u{FEFF}1",
        "[1}", "{\"a\":1]",
    ])
    func refusesMalformed(_ text: String) {
        #expect(throws: JSONError.self) { try JSONValue.parse(text) }
    }

    @Test(arguments: ["", " \n\t "])
    func saysEOFWhereThereIsNothing(_ text: String) {
        let error = #expect(throws: JSONError.self) { try JSONValue.parse(text) }
        #expect(error?.code == .empty)
        #expect(error?.message == "EOF")
    }

    @Test func refusesBytesThatAreNotUTF8() {
        for tail in [[0xFF], [0xC3], [0xED, 0xA0, 0x80], [0xC0, 0x80]] as [[UInt8]] {
            let error = #expect(throws: JSONError.self) { try JSONValue.parse(bytes: [0x22] + tail + [0x22]) }
            #expect(error?.code == .invalidUTF8)
        }
    }

    @Test func boundsDepth() throws {
        let open = String(repeating: "[", count: JSONValue.maximumDepth)
        let close = String(repeating: "]", count: JSONValue.maximumDepth)
        _ = try JSONValue.parse(open + close)
        for text in [String(repeating: "[", count: 1_000_000), String(repeating: "{\"a\":", count: 300_000)] {
            let error = #expect(throws: JSONError.self) { try JSONValue.parse(text) }
            #expect(error?.code == .tooDeep)
        }
    }

    @Test func keepsOrderAndTheLastOfEqualKeys() throws {
        let value = try JSONValue.parse(#"{"z":1,"a":2,"z":3}"#)
        #expect(value.text() == #"{"z":3,"a":2}"#)
        #expect(value.objectValue?.count == 2)
    }

    @Test func tellsKeysApartByTheirBytes() throws {
        let text = "{\"\u{E9}\":1,\"e\u{301}\":2}"
        let value = try JSONValue.parse(text)
        #expect(Array(value.text().utf8) == Array(text.utf8))
        #expect(value["\u{E9}"] == .number("1"))
    }

    @Test func looksUpKeysInAnyCase() {
        let object: JSONObject = ["Variables": .number("1"), "variables": .number("2"), "NAME": .number("3")]
        #expect(object.value(ignoringCase: "variables") == .number("2"))
        #expect(object.value(ignoringCase: "VARIABLES") == .number("1"))
        #expect(object.value(ignoringCase: "name") == .number("3"))
        #expect(object.value(ignoringCase: "other") == nil)
    }

    @Test func removesMembers() {
        var object: JSONObject = ["a": .null, "b": .null]
        object["a"] = nil
        object["missing"] = nil
        #expect(object.keys == ["b"])
    }

    @Test(arguments: [
        (
            "<a> & \u{2028}\u{2029} é", #""\u003ca\u003e \u0026 \u2028\u2029 é""#,
            "\"<a> & \u{2028}\u{2029} é\""
        ),
        ("\u{1}\u{1F}\"\\\n\r\t", #""\u0001\u001f\"\\\n\r\t""#, #""\u0001\u001f\"\\\n\r\t""#),
        ("€", "\"€\"", "\"€\""),
    ])
    func escapesAsGoDoes(_ text: String, _ html: String, _ minimal: String) {
        #expect(JSONValue.string(text).text(escaping: .html) == html)
        #expect(JSONValue.string(text).text() == minimal)
    }

    @Test(arguments: [
        ("1", Int64?(1)), ("-7", -7), ("1e3", 1000), ("2.0", 2), ("2.5", nil), ("1e400", nil),
        ("9223372036854775807", .max),
        ("9223372036854775808", nil), ("-0", 0),
    ])
    func readsIntegers(_ text: String, _ value: Int64?) {
        #expect(JSONValue.number(text).integerValue == value)
    }

    @Test(arguments: [
        (1.0, "1"), (-0.0, "0"), (0.5, "0.5"), (1e16, "1e+16"), (123_456_789, "123456789"), (.nan, "null"),
        (.infinity, "null"),
    ])
    func writesDoubles(_ value: Double, _ text: String) {
        #expect(JSONValue.double(value).text() == text)
    }

    @Test func writesMapsSorted() {
        #expect(JSONValue.map(["b": "2", "a": "1"]).text() == #"{"a":"1","b":"2"}"#)
    }

    @Test func writesForPeople() {
        let value = JSONValue.object(["a": .array([.integer(1), .object([:])]), "b": .array([])])
        #expect(value.prettyText() == "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}")
    }

    @Test func writesAsPythonDoes() {
        let value = JSONValue.object([
            "k": .array([.integer(1), .null, .bool(true)]), "é\u{1F426}": .string("\u{7F}\u{8}\n\""),
        ])
        #expect(value.pythonText() == #"{"k": [1, null, true], "\u00e9\ud83d\udc26": "\u007f\b\n\""}"#)
    }

    @Test(arguments: 0..<20)
    func survivesWritingAndReading(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<200 {
            let value = JSONValue.random(using: &generator)
            for escaping in [JSONValue.Escaping.minimal, .html] {
                let bytes = value.bytes(escaping: escaping)
                let parsed = try JSONValue.parse(bytes: bytes)
                #expect(parsed == value, "seed \(seed)")
                #expect(parsed.bytes(escaping: escaping) == bytes, "seed \(seed)")
            }
            #expect(try JSONValue.parse(value.prettyText()) == value, "seed \(seed)")
            #expect(try JSONValue.parse(value.pythonText()) == value, "seed \(seed)")
        }
    }

    @Test(arguments: 0..<20)
    func neverCrashesOnDamagedText(_ seed: UInt64) {
        var generator = SeededGenerator(seed: 1000 + seed)
        for _ in 0..<200 {
            var bytes = JSONValue.random(using: &generator).bytes()
            for _ in 0..<3 where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(
                    in: 0...255,
                    using: &generator
                )
            }
            if let value = try? JSONValue.parse(bytes: bytes) {
                #expect((try? JSONValue.parse(bytes: value.bytes())) != nil)
            }
        }
    }

    @Test func readsLargeDocuments() throws {
        let text = "[" + String(repeating: "{\"key\":\"value\"},", count: 100_000) + "0]"
        #expect(try JSONValue.parse(text).arrayValue?.count == 100_001)
        let long = String(repeating: "é\n", count: 1_000_000)
        #expect(try JSONValue.parse(bytes: JSONValue.string(long).bytes()).stringValue == long)
    }
}
