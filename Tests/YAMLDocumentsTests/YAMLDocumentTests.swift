import Model
import TestKit
import Testing

@testable import YAMLDocuments

struct YAMLDocumentTests {
    @Test(arguments: [
        ("", "null"), ("# only a comment\n", "null"), ("---\n", "null"), ("a: 1", #"{"a":1}"#),
        ("- 1\n- 2", "[1,2]"),
        ("z: 1\na: 2\nm: 3", #"{"z":1,"a":2,"m":3}"#), ("cpu: 1.0", #"{"cpu":1.0}"#),
        ("a: 1.50e+3", #"{"a":1.50e+3}"#),
        ("a: -0", #"{"a":-0}"#), ("a: \"1.0\"", #"{"a":"1.0"}"#), ("a: '1'", #"{"a":"1"}"#),
        ("[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]"),
        ("[yes, no, on, off, y, N, tRue]", #"["yes","no","on","off","y","N","tRue"]"#),
        ("[null, Null, NULL, ~, '']", #"[null,null,null,null,""]"#), ("a:\nb: ", #"{"a":null,"b":null}"#),
        (
            "[0123, 0x1F, 0o17, 1_000, +1, .5, 1., .inf, .NaN, 1:30]",
            #"["0123","0x1F","0o17","1_000","+1",".5","1.",".inf",".NaN","1:30"]"#
        ),
        ("a: 2026-01-01", #"{"a":"2026-01-01"}"#), ("a: 256Mi", #"{"a":"256Mi"}"#),
        ("1: a\ntrue: b", #"{"1":"a","true":"b"}"#),
        (
            "a: !!str 1\nb: !!int '2'\nc: !!bool true\nd: !!null x\ne: !!float 1.5\nf: ! 7",
            #"{"a":"1","b":2,"c":true,"d":null,"e":1.5,"f":"7"}"#
        ),
        ("a: !custom x", #"{"a":"x"}"#), ("a: |\n  x\n  y\nb: >\n  x\n  y\n", #"{"a":"x\ny\n","b":"x y\n"}"#),
        ("a: \"\\u00e9\\n\\x41\"", #"{"a":"é\nA"}"#),
        ("a: b\r\nc: d\r\n", #"{"a":"b","c":"d"}"#), ("\u{FEFF}a: b", #"{"a":"b"}"#),
        ("{a: [1, {b: c}], d: {}}", #"{"a":[1,{"b":"c"}],"d":{}}"#),
        ("a: &x [1, 2]\nb: *x", #"{"a":[1,2],"b":[1,2]}"#),
        ("a: &x 1\nb: &x 2\nc: *x", #"{"a":1,"b":2,"c":2}"#),
        ("d: &d {p: 1, q: 2}\na: {<<: *d, q: 3}", #"{"d":{"p":1,"q":2},"a":{"q":3,"p":1}}"#),
        (
            "a: &a {x: 1}\nb: &b {x: 2, y: 3}\nc: {<<: [*a, *b]}",
            #"{"a":{"x":1},"b":{"x":2,"y":3},"c":{"x":1,"y":3}}"#
        ),
        ("'<<': 1", #"{"<<":1}"#),
        (#"{"json": ["is", "yaml", null, 1.0]}"#, #"{"json":["is","yaml",null,1.0]}"#),
        ("plain", #""plain""#),
    ])
    func parses(_ text: String, _ json: String) throws {
        #expect(try YAMLDocument.parse(text).text() == json)
    }

    @Test(arguments: [
        ("a: [1, 2", YAMLDocumentError.Code.malformed, Int?(2)), ("a: b: c", .malformed, 1),
        ("a: 1\n\tb: 2", .malformed, 2), ("a: 'x", .malformed, 1),
        ("ok: 1\na: *nothing", .malformed, 2), ("a: 1\n---\nb: 2", .malformed, 2),
        ("a: \"\\q\"", .malformed, 1), ("%", .malformed, 1),
        ("a: 1\nb: 2\na: 3", .duplicateKey, nil), ("x:\n  1: a\n  '1': b", .duplicateKey, nil),
        ("? [a, b]\n: c", .unsupported, 1),
        ("? {a: b}\n: c", .unsupported, 1), ("a: !!int x", .unsupported, 1),
        ("a: !!bool maybe", .unsupported, 1), ("a: 1\n<<: 3", .unsupported, 2),
        ("<<: [1]", .unsupported, nil), ("a: \u{1}", .malformed, nil), ("a: &x [*x]", .malformed, 1),
        ("@a: b", .malformed, 1), ("- a\nb: c", .malformed, 2),
    ])
    func refuses(_ text: String, _ code: YAMLDocumentError.Code, _ line: Int?) {
        let error = #expect(throws: YAMLDocumentError.self) { try YAMLDocument.parse(text) }
        #expect(error?.code == code, "\(error?.message ?? "")")
        if let line { #expect(error?.line == line, "\(error?.message ?? "")") }
        #expect(error?.message.isEmpty == false)
    }

    @Test func namesTheDuplicateAndItsLine() {
        let error = #expect(throws: YAMLDocumentError.self) {
            try YAMLDocument.parse("a: 1\nb:\n  cpu: 1\n  cpu: 2\n")
        }
        #expect(error?.problem.contains("\"cpu\"") == true)
        #expect((3...4).contains(error?.line ?? 0))
        #expect(error?.message.hasPrefix("line ") == true)
    }

    @Test func boundsDepth() throws {
        let fine = String(repeating: "[", count: 250) + String(repeating: "]", count: 250)
        _ = try YAMLDocument.parse(fine)
        let deep = String(repeating: "[", count: 600) + String(repeating: "]", count: 600)
        let error = #expect(throws: YAMLDocumentError.self) { try YAMLDocument.parse(deep) }
        #expect(error?.code == .tooDeep)
        let blocks = (0..<600).map { String(repeating: " ", count: $0) + "a:\n" }.joined()
        #expect(throws: YAMLDocumentError.self) { try YAMLDocument.parse(blocks) }
        for opening in ["[", "{", "- ", "{a: ", "? "] {
            let text = String(repeating: opening, count: 50_000)
            #expect(throws: YAMLDocumentError.self) { try YAMLDocument.parse(text) }
        }
    }

    /// Aliases within aliases ("billion laughs"), as values, as keys and in merges.
    @Test(arguments: ["  - *b8", "  ? *b8\n  : x", "  <<: *b8", "  [*b8, *b8]: x"])
    func boundsAliases(_ use: String) {
        var text = "b0: &b0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n"
        for level in 1...8 {
            let aliases = repeatElement("*b\(level - 1)", count: 9).joined(separator: ", ")
            text += "b\(level): &b\(level) [\(aliases)]\n"
        }
        let error = #expect(throws: YAMLDocumentError.self) {
            try YAMLDocument.parse(text + "end:\n" + use + "\n")
        }
        #expect(error?.code == .tooLarge)
    }

    @Test func boundsNodesAndText() {
        let many = "[" + repeatElement("1,", count: YAMLDocument.maximumNodes).joined() + "1]"
        let long = "a: " + String(repeating: "x", count: YAMLDocument.maximumLength)
        for text in [many, long] {
            let error = #expect(throws: YAMLDocumentError.self) { try YAMLDocument.parse(text) }
            #expect(error?.code == .tooLarge)
        }
    }

    @Test func ordinaryAliasesAreFine() throws {
        let services = (0..<200).map { "  - s\($0): {<<: *defaults, name: s\($0)}\n" }.joined()
        let text = "defaults: &defaults {cpu: 1, memory: 256Mi, image: x}\nlist:\n" + services
        #expect(try YAMLDocument.parse(text)["list"]?[199]?["s199"]?["cpu"] == .number("1"))
        let script = "a: &x 1\nb: *x\nscript: |\n  int *p = &x; *p = 1;\n  case *) ;;\n  echo \"*x\" & \n"
        #expect(try YAMLDocument.parse(script)["b"] == .number("1"))
    }

    @Test(arguments: 0..<10)
    func neverCrashesOnDamagedText(_ seed: UInt64) {
        var generator = SeededGenerator(seed: seed)
        let marks = Array("[]{}:,-?&*!|>'\"%@`#\n \tab1~".utf8)
        for _ in 0..<500 {
            let bytes = (0..<Int.random(in: 0..<60, using: &generator)).map { _ in
                marks.randomElement(using: &generator) ?? 0
            }
            if let value = try? YAMLDocument.parse(String(decoding: bytes, as: UTF8.self)) {
                #expect((try? YAMLDocument.parse(YAMLDocument.text(of: value))) == value, "seed \(seed)")
            }
        }
    }
}

struct YAMLTextTests {
    @Test(arguments: [
        (
            #"{"name":"shout","cpu":1.0,"list":[1,{"a":"b","c":[]}],"none":null,"empty":{},"flag":true}"#,
            "name: shout\ncpu: 1.0\nlist:\n- 1\n- a: b\n  c: []\nnone: null\nempty: {}\nflag: true\n"
        ),
        (
            #"{"script":"echo a\necho b\n","v":"1.0","w":"yes","x":"","u":"null","z":"2026-01-01","k":"a: b","1":"on"}"#,
            "script: |\n  echo a\n  echo b\nv: \"1.0\"\nw: \"yes\"\nx: \"\"\nu: \"null\"\nz: \"2026-01-01\"\nk: 'a: b'\n\"1\": \"on\"\n"
        ),
        ("[]", "[]\n"), ("\"é\"", "é\n"), ("{}", "{}\n"),
    ])
    func writes(_ json: String, _ yaml: String) throws {
        let text = YAMLDocument.text(of: try JSONValue.parse(json))
        #expect(text == yaml)
        #expect(try YAMLDocument.parse(text).text() == json)
    }

    @Test func longTextsStayOnOneLine() {
        let long = repeatElement("word", count: 100).joined(separator: " ")
        #expect(YAMLDocument.text(of: .object(["a": .string(long)])) == "a: \(long)\n")
    }

    @Test(arguments: 0..<20)
    func survivesWritingAndReading(_ seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        for _ in 0..<100 {
            let value = JSONValue.random(using: &generator)
            let text = YAMLDocument.text(of: value)
            #expect(try YAMLDocument.parse(text) == value, "seed \(seed)\n\(text)\n\(value.text())")
        }
    }
}
