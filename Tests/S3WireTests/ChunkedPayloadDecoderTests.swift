import Model
import S3Wire
import Testing

@Suite struct ChunkedPayloadDecoderTests {
    static let seed = String(repeating: "0", count: 64)

    static func chain() -> ChunkSignatures {
        ChunkSignatures(seed: seed, key: SignatureVectorTests.key, signingTime: "20130524T000000Z")
    }

    /// A body as a client frames it.
    static func framed(_ chunks: [[UInt8]], payload: PayloadHash, trailer: [(name: String, value: String)] = [])
        -> [UInt8]
    {
        var chain = chain()
        var body: [UInt8] = []
        for chunk in chunks + [[]] {
            let signature = payload == .unsignedChunksWithTrailer ? "" : ";chunk-signature=\(chain.next(chunk: chunk))"
            body += Array("\(String(chunk.count, radix: 16))\(signature)\r\n".utf8)
            if !chunk.isEmpty { body += chunk + Array("\r\n".utf8) }
        }
        for (name, value) in trailer { body += Array("\(name):\(value)\r\n".utf8) }
        if payload == .signedChunksWithTrailer {
            body += Array("x-amz-trailer-signature:\(chain.trailer(trailer))\r\n".utf8)
        }
        return body + Array("\r\n".utf8)
    }

    /// Decodes a body that comes in pieces of that size.
    static func decode(_ body: [UInt8], payload: PayloadHash, length: Int64, pieces: Int = 1 << 20) throws
        -> (content: [UInt8], trailer: [String])
    {
        var decoder = ChunkedPayloadDecoder(payload: payload, signatures: chain(), decodedLength: length)
        var content: [UInt8] = []
        for start in stride(from: 0, to: body.count, by: pieces) {
            let piece = Array(body[start..<min(body.count, start + pieces)])
            for range in try piece.withUnsafeBytes({ try decoder.decode($0) }) { content += piece[range] }
        }
        return (content, try decoder.finish().map { "\($0.name)=\($0.value)" })
    }

    static let forms: [PayloadHash] = [.signedChunks, .signedChunksWithTrailer, .unsignedChunksWithTrailer]

    @Test(arguments: forms, [1, 2, 3, 7, 64, 1000, 1 << 20])
    func decodesInAnyPieces(form: PayloadHash, pieces: Int) throws {
        let chunks = [8, 1, 700, 33].map { count in (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 31) } }
        let trailer = form == .signedChunks ? [] : [(name: "x-amz-checksum-crc32", value: "AAAAAA==")]
        let body = Self.framed(chunks, payload: form, trailer: trailer)
        let (content, decodedTrailer) = try Self.decode(body, payload: form, length: 742, pieces: pieces)
        #expect(content == chunks.flatMap { $0 })
        #expect(decodedTrailer == (form == .signedChunks ? [] : ["x-amz-checksum-crc32=AAAAAA=="]))
    }

    @Test(arguments: forms) func decodesNothing(form: PayloadHash) throws {
        #expect(try Self.decode(Self.framed([], payload: form), payload: form, length: 0).content.isEmpty)
    }

    @Test(arguments: [
        "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\n\r\n\r\n",
        "3\r\nabc\r\n0\r\nX-Amz-Checksum-CRC32: NSRBwg== \r\n\r\n",
        "3\nabc\n0\nx-amz-checksum-crc32:NSRBwg==\n\n",
        "0000003\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n",
        "1;x=y\r\na\r\n2\r\nbc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n",
    ])
    func toleratesWhatClientsSend(body: String) throws {
        let decoded = try Self.decode(Array(body.utf8), payload: .unsignedChunksWithTrailer, length: 3)
        #expect(decoded.content == Array("abc".utf8))
        #expect(decoded.trailer == ["x-amz-checksum-crc32=NSRBwg=="])
    }

    @Test func toleratesAnEmptyLineBeforeTheSignatureOfTheTrailer() throws {
        let trailer = [(name: "x-amz-checksum-crc32", value: "NSRBwg==")]
        let body = Self.framed([Array("abc".utf8)], payload: .signedChunksWithTrailer, trailer: trailer)
        let text = String(decoding: body, as: UTF8.self)
        let parts = text.split(separator: "NSRBwg==\r\n")
        let loose = Array("\(parts[0])NSRBwg==\n\r\n\(parts[1])".utf8)
        #expect(try Self.decode(loose, payload: .signedChunksWithTrailer, length: 3).content == Array("abc".utf8))
    }

    @Test(arguments: [
        ("", S3ErrorCode.incompleteBody), ("3\r\n", .incompleteBody), ("3\r\nab", .incompleteBody),
        ("3\r\nabc", .incompleteBody), ("3\r\nabc\r\n", .incompleteBody), ("0\r\n\r\n", .incompleteBody),
        ("4\r\nabcd\r\n0\r\n\r\n", .incompleteBody), ("2\r\nabc\r\n0\r\n\r\n", .invalidRequest),
        ("x\r\nabc\r\n", .invalidRequest), ("-3\r\nabc\r\n", .invalidRequest), ("\r\n", .invalidRequest),
        ("+3\r\nabc\r\n", .invalidRequest), ("ffffffffffffffff\r\n", .invalidRequest),
        ("fffffffffffffff\r\nabcd", .incompleteBody), ("3\r\nabc\r\n0\r\nno colon\r\n\r\n", .invalidRequest),
        ("3\r\nabc\r\n0\r\n:x\r\n\r\n", .invalidRequest), ("3\r\nabc\r\n0\r\n\r\nmore\r\n", .invalidRequest),
        ("3\r\nabc\r\n0\r\n\r\n\r\n\r\n\r\n", .invalidRequest),
        ("3\r\nabc\r\n0\r\nx-amz-trailer-signature:00\r\n\r\n", .invalidRequest),
    ])
    func refusesBrokenFraming(body: String, expected: S3ErrorCode) {
        let error = #expect(throws: S3Error.self) {
            _ = try Self.decode(Array(body.utf8), payload: .unsignedChunksWithTrailer, length: 3)
        }
        #expect(error?.code == expected)
    }

    @Test func boundsLinesAndTrailers() {
        let endless = [UInt8](repeating: UInt8(ascii: "0"), count: 5000)
        #expect(throws: S3Error.self) {
            _ = try Self.decode(endless, payload: .unsignedChunksWithTrailer, length: 0)
        }
        let fields = (0..<17).map { (name: "x-\($0)", value: "v") }
        let body = Self.framed([], payload: .unsignedChunksWithTrailer, trailer: fields)
        #expect(throws: S3Error.self) { _ = try Self.decode(body, payload: .unsignedChunksWithTrailer, length: 0) }
    }

    @Test(arguments: [PayloadHash.signedChunks, .signedChunksWithTrailer])
    func refusesEveryChangedByteOfContentAndSignatures(form: PayloadHash) throws {
        let trailer = form == .signedChunks ? [] : [(name: "x-amz-checksum-crc32", value: "NSRBwg==")]
        let body = Self.framed([Array("abcdef".utf8), Array("gh".utf8)], payload: form, trailer: trailer)
        for position in body.indices {
            var changed = body
            changed[position] ^= 1
            let decoded = try? Self.decode(changed, payload: form, length: 8)
            // A changed byte may be harmless only where the framing itself is loose.
            if let decoded { #expect(decoded.content == Array("abcdefgh".utf8)) }
        }
    }

    @Test(arguments: forms) func refusesEveryTruncation(form: PayloadHash) {
        let trailer = form == .signedChunks ? [] : [(name: "x-amz-checksum-crc32", value: "NSRBwg==")]
        let body = Self.framed([Array("abcdef".utf8), Array("gh".utf8)], payload: form, trailer: trailer)
        let lastChunk = body.count - 4
        for count in 0..<lastChunk {
            let decoded = try? Self.decode(Array(body[..<count]), payload: form, length: 8)
            // Without a signed trailer, the content is whole once the last chunk has come.
            if let decoded { #expect(decoded.content.count == 8 && form != .signedChunksWithTrailer) }
        }
    }

    @Test func refusesChunksThatWereRearranged() throws {
        let body = Self.framed([Array("aaaa".utf8), Array("bbbb".utf8)], payload: .signedChunks)
        let size = body.count - 1
        let frame = 1 + 17 + 64 + 2 + 4 + 2
        let swapped = Array(body[frame..<2 * frame] + body[..<frame] + body[(2 * frame)...size])
        let error = #expect(throws: S3Error.self) {
            _ = try Self.decode(swapped, payload: .signedChunks, length: 8)
        }
        #expect(error?.code == .signatureDoesNotMatch)
    }
}
