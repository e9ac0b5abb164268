import Model
import S3Wire
import TestKit
import Testing

@Suite struct FormDataTests {
    static let boundary = "----boundary7"
    static let type = "multipart/form-data; boundary=\(boundary)"

    static func part(_ name: String, _ value: String, more: String = "") -> [UInt8] {
        Array("--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\(more)\r\n\r\n\(value)\r\n".utf8)
    }

    static func body(_ fields: KeyValuePairs<String, String>, file: [UInt8]?, fileName: String = "cow.jpg") -> [UInt8] {
        var body = fields.flatMap { part($0.key, $0.value) }
        if let file {
            body += Array(
                ("--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(fileName)\"\r\n"
                    + "Content-Type: image/jpeg\r\n\r\n").utf8)
            body += file + [13, 10]
        }
        return body + Array("--\(boundary)--\r\n".utf8)
    }

    struct Form {
        var fields: FormFields?
        var file: [UInt8] = []
    }

    /// Decodes a body that comes in pieces of that size.
    static func decode(_ body: [UInt8], pieces: Int = .max, type: String = type) throws -> Form {
        var decoder = try FormDataDecoder(contentType: type)
        var form = Form()
        var start = 0
        while start < body.count {
            let piece = Array(body[start..<min(body.count, start + min(pieces, body.count))])
            start += piece.count
            let events = try piece.withUnsafeBytes { try decoder.decode($0) }
            for event in events {
                switch event {
                case .file(let fields): form.fields = fields
                case .held(let bytes): form.file += bytes
                case .content(let range): form.file += piece[range]
                }
            }
        }
        try decoder.finish()
        return form
    }

    @Test(arguments: [1, 2, 3, 7, 16, 17, 18, 19, 20, 21, 64, 1000, 5000, .max])
    func decodesInAnyPieces(pieces: Int) throws {
        let start = "\r\n--\(Self.boundary.dropLast())"
        let file = pattern(3000) + Array("\(start)\r\r\n-\(start)x\r\n--".utf8) + pattern(10, seed: 2)
        let body = Self.body(["key": "a/${filename}", "Content-Type": "text/plain", "empty": ""], file: file)
        let form = try Self.decode(body, pieces: pieces)
        #expect(form.file == file)
        #expect(form.fields?["key"] == "a/${filename}")
        #expect(form.fields?["content-type"] == "text/plain")
        #expect(form.fields?["empty"]?.isEmpty == true)
        #expect(form.fields?.fileName == "cow.jpg")
    }

    @Test func ignoresWhatFollowsTheFile() throws {
        var body = Self.body([:], file: [1, 2])
        body.removeLast(Self.boundary.utf8.count + 6)
        body += Self.part("key", "late") + Array("--\(Self.boundary)--\r\nepilogue".utf8)
        let form = try Self.decode(body)
        #expect(form.file == [1, 2])
        #expect(form.fields?["key"] == nil)
        #expect(try Self.decode(Self.body([:], file: []), pieces: 1).file.isEmpty)
    }

    @Test(arguments: [
        ("", S3ErrorCode.malformedPOSTRequest), ("--", .malformedPOSTRequest), ("preamble\r\n", .malformedPOSTRequest),
        ("--\(boundary)--\r\n", .incorrectNumberOfFilesInPostRequest),
        ("--\(boundary)--", .incorrectNumberOfFilesInPostRequest),
        ("--\(boundary)\r\n", .malformedPOSTRequest), ("--\(boundary)x\r\n", .malformedPOSTRequest),
        ("--\(boundary)\r\n\r\n\r\n", .malformedPOSTRequest),
        ("--\(boundary)\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\n", .malformedPOSTRequest),
        ("--\(boundary)\r\nnonsense\r\n\r\n", .malformedPOSTRequest),
        ("--\(boundary)\r\nContent-Disposition: form-data\r\n\r\n", .malformedPOSTRequest),
        ("--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nabc", .malformedPOSTRequest),
        ("--\(boundary)\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nabc", .malformedPOSTRequest),
        ("--\(boundary)\r\nX: \(String(repeating: "a", count: 5000))", .malformedPOSTRequest),
    ])
    func refuses(text: String, code: S3ErrorCode) {
        for pieces in [1, .max] {
            let error = #expect(throws: S3Error.self) { _ = try Self.decode(Array(text.utf8), pieces: pieces) }
            #expect(error?.code == code, "\(text)")
        }
    }

    @Test func boundsFields() throws {
        let long = String(repeating: "a", count: 21_000)
        for body in [
            Self.body(["key": long], file: [1]), Array(Self.part("key", long).dropLast(10)),
            Self.body(["a": String(long.prefix(12_000)), "b": String(long.prefix(12_000))], file: [1]),
            (0..<600).flatMap { Self.part("f\($0)", "") } + Self.body([:], file: [1]),
        ] {
            let error = #expect(throws: S3Error.self) { _ = try Self.decode(body) }
            #expect(error?.code == .maximumPostPreDataLengthExceeded)
        }
        #expect(try Self.decode(Self.body(["key": String(long.prefix(20_000))], file: [1])).file == [1])
        let broken = Self.part("key", "x") + [0x2D, 0x2D] + Array(Self.boundary.utf8) + [0xFF]
        #expect(throws: S3Error.self) { _ = try Self.decode(broken) }
        var latin = Self.part("key", "?")
        latin[latin.count - 3] = 0xFF
        #expect(throws: S3Error.self) { _ = try Self.decode(latin + Self.body([:], file: [1])) }
    }

    @Test(arguments: [
        "", "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"",
        "text/plain; boundary=x", "multipart/mixed; boundary=x", "multipart/form-data; boundary=a\u{7F}",
        "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=é",
        "multipart/form-data; boundary=\(String(repeating: "a", count: 71))", ";;;", "multipart/form-data; boundary",
    ])
    func refusesTypes(type: String) {
        let error = #expect(throws: S3Error.self) { _ = try FormDataDecoder(contentType: type) }
        #expect(error?.code == .malformedPOSTRequest)
    }

    @Test(arguments: [
        "Multipart/Form-Data;boundary=\(boundary)", "multipart/form-data; charset=utf-8; Boundary=\"\(boundary)\"",
        "multipart/form-data; boundary=\(boundary); x=\"a;b\"",
    ])
    func takesTypes(type: String) throws {
        #expect(try Self.decode(Self.body(["key": "k"], file: [7]), type: type).file == [7])
    }

    @Test(arguments: UInt64(0)..<20) func survivesNoise(seed: UInt64) throws {
        var generator = SeededGenerator(seed: seed)
        let good = Self.body(["key": "a", "acl": "private"], file: generator.bytes(200))
        for _ in 0..<200 {
            var body = good
            for _ in 0..<Int.random(in: 1..<6, using: &generator) {
                let place = Int.random(in: 0..<body.count, using: &generator)
                switch Int.random(in: 0..<3, using: &generator) {
                case 0: body[place] = UInt8.random(in: 0...255, using: &generator)
                case 1: body.remove(at: place)
                default: body.insert(contentsOf: "\r\n--\(Self.boundary)".utf8, at: place)
                }
            }
            let pieces = Int.random(in: 1..<300, using: &generator)
            do {
                let form = try Self.decode(body, pieces: pieces)
                #expect(form.fields != nil && form.file.count <= body.count)
            } catch let error as S3Error {
                #expect(error.code.status == 400)
            }
        }
    }
}

/// Bytes that are easy to tell apart.
private func pattern(_ count: Int, seed: UInt64 = 1) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    return generator.bytes(count)
}
