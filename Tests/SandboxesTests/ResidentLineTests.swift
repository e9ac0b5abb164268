import Model
import NIOCore
import TestKit
import Testing

@testable import Sandboxes

@Suite
struct ResidentLineTests {
    @Test(
        arguments: [
            (#"{"id":"7","ok":true,"result":"text"}"#, true, "text"),
            (#"{"id": "7", "ok": true, "result": "text"}"#, true, "text"),
            (" {\t\"ok\" : true , \"result\":\"\", \"id\":\"7\" } \r", true, ""),
            (#"{"id":"7","ok":false,"error":"no"}"#, false, "no"),
            (#"{"id":"7","ok":false,"error":"no","result":"yes"}"#, false, "no"),
            (#"{"id":"7","ok":true,"error":"no","result":"yes"}"#, true, "yes"),
            (
                #"{"id":"7","ok":true,"result":"a\"b\\c\/d\n\t\r\b\f\u00e4\ud83d\ude00"}"#, true,
                "a\"b\\c/d\n\t\r\u{8}\u{C}ä😀"
            ),
            (#"{"id":"7","ok":true,"result":"\ud83dx"}"#, true, "\u{FFFD}x"),
            (#"{"id":"7","ok":true,"result":"ä€😀"}"#, true, "ä€😀"),
            // The general form.
            (#"{"id":7,"ok":true,"result":"x"}"#, true, "x"), (#"{"id":"7","ok":true}"#, true, ""),
            (#"{"id":"7","ok":true,"result":null}"#, true, ""), (#"{"id":"7","ok":false}"#, false, ""),
            (#"{"id":"7","ok":true,"result":{"a":[1.50]}}"#, true, #"{"a":[1.50]}"#),
            (#"{"id":"7","ok":true,"result":"x","more":{"deep":[]}}"#, true, "x"),
            (#"{"\u0069d":"7","ok":true,"result":"x"}"#, true, "x"),
        ] as [(String, Bool, String)]
    )
    func answers(_ text: String, _ isOK: Bool, _ decoded: String) throws {
        let line = try #require(ResidentLine.parse(ByteBuffer(string: text)))
        #expect(line.id == 7)
        #expect(line.isOK == isOK)
        #expect(String(buffer: line.text) == decoded)
    }

    @Test(
        arguments: [
            "", " ", "{", "{}", "[]", "text", "\"text\"", "7", "null", #"{"id":"7"}"#, #"{"id":"7","ok":"true"}"#,
            #"{"id":"x","ok":true}"#, #"{"id":"-1","ok":true}"#, #"{"id":"18446744073709551616","ok":true}"#,
            #"{"id":"7","ok":true,"result":"x"}}"#, #"{"id":"7","ok":true,"result":"x"} x"#,
            #"{"id":"7","ok":true,"result":"x""#, #"{"id":"7","ok":true,"result":"\x"}"#,
            #"{"id":"7","ok":true,"result":"\u12"}"#, #"{"id":"7","ok":true,"result":"\"}"#,
            #"{"id":"7","ok":tru,"result":"x"}"#, "{\"id\":\"7\",\"ok\":true,\"result\":\"\u{1}\"}",
            #"{"id":"7","ok":true,"result":"x",}"#, String(repeating: "[", count: 100_000),
            String(repeating: "{\"a\":", count: 100_000),
        ]
    )
    func noAnswers(_ text: String) {
        #expect(ResidentLine.parse(ByteBuffer(string: text)) == nil)
    }

    @Test
    func bytesThatAreNoText() throws {
        let bytes = Array(#"{"id":"7","ok":true,"result":""#.utf8) + [0xFF, 0xC0] + Array("\"}".utf8)
        let line = try #require(ResidentLine.parse(ByteBuffer(bytes: bytes)))
        #expect(Array(line.text.readableBytesView) == [0xFF, 0xC0])
    }

    @Test(arguments: 0..<10)
    func anyTextComesBack(seed: Int) throws {
        var generator = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<200 {
            let text = JSONValue.randomText(using: &generator)
            let id = UInt64.random(in: 0...(1 << 62), using: &generator)
            let document = JSONObject([("id", .string("\(id)")), ("ok", .bool(true)), ("result", .string(text))])
            for bytes in [JSONValue.object(document).bytes(), Array(JSONValue.object(document).pythonText().utf8)] {
                let line = try #require(ResidentLine.parse(ByteBuffer(bytes: bytes)))
                #expect(line.id == id)
                #expect(String(buffer: line.text) == text)
            }
            var broken = JSONValue.object(document).bytes()
            broken[Int.random(in: 0..<broken.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            // Either an answer or none; what matters is that nothing else happens.
            _ = ResidentLine.parse(ByteBuffer(bytes: broken))
        }
    }

    @Test
    func requests() throws {
        let (beginning, end) = ResidentRequest.line(
            input: "/a\"b", output: "/o", event: .object(["k": .number("1.50")]))
        for number in [0, 7, 10, UInt64.max] {
            var line = beginning
            ResidentRequest.append(number, to: &line)
            line += end
            let text = #"{"id":"\#(number)","input":"/a\"b","output_dir":"/o","event":{"k":1.50}}"#
            #expect(String(decoding: line, as: UTF8.self) == text + "\n")
        }
    }

    @Test
    func idOfABeginning() {
        #expect(ResidentLine.id(ofBeginning: ByteBuffer(string: #"{"id": "12", "ok": tr"#)) == 12)
        #expect(ResidentLine.id(ofBeginning: ByteBuffer(string: #"{"ok": true, "id": "12""#)) == nil)
        #expect(ResidentLine.id(ofBeginning: ByteBuffer(string: "aaaa")) == nil)
    }
}
