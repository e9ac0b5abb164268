import Crypto

/// Takes the framing off a body with `Content-Encoding: aws-chunked`, and verifies the signatures of its chunks.
///
/// The data of a chunk is handed out before its signature can be known: whoever stores it has to throw it away when a
/// later call throws.
package struct ChunkedPayloadDecoder: Sendable {
    /// The longest line with the size and signature of a chunk, or with a trailer field, in bytes.
    static let maximumLineLength = 4096
    static let maximumTrailerFields = 16
    private static let signatureField = "x-amz-trailer-signature"

    private enum State: Sendable, Equatable {
        case sizeLine
        case data(remaining: Int64)
        case dataEnd
        case trailer
        case end
    }

    private let payload: PayloadHash
    private let decodedLength: Int64
    private var signatures: ChunkSignatures?
    private var state = State.sizeLine
    private var line: [UInt8] = []
    private var received: Int64 = 0
    private var chunkSignature = ""
    private var chunkHash = SHA256()
    private var trailer: [(name: String, value: String)] = []
    private var trailerIsSigned = false
    private var strayLines = 0

    /// - Parameters:
    ///   - payload: one of the chunked forms.
    ///   - signatures: the chain that the request's own signature begins; `nil` leaves chunks unverified and is
    ///     right for the unsigned form only.
    ///   - decodedLength: of the content, in bytes, as `x-amz-decoded-content-length` says.
    package init(payload: PayloadHash, signatures: ChunkSignatures?, decodedLength: Int64) {
        self.payload = payload
        self.signatures = payload == .unsignedChunksWithTrailer ? nil : signatures
        self.decodedLength = decodedLength
    }

    /// Takes in the next bytes of the body.
    ///
    /// - Returns: where in these bytes content stands, in order.
    /// - Throws: `S3Error` with `invalidRequest` for broken framing, `incompleteBody` for more content than
    ///   announced, `signatureDoesNotMatch`.
    package mutating func decode(_ bytes: UnsafeRawBufferPointer) throws(S3Error) -> [Range<Int>] {
        var content: [Range<Int>] = []
        var position = 0
        while position < bytes.count {
            if case .data(let remaining) = state {
                let count = Int(min(remaining, Int64(bytes.count - position)))
                try take(UnsafeRawBufferPointer(rebasing: bytes[position..<position + count]), of: remaining)
                content.append(position..<position + count)
                position += count
            } else {
                let byte = bytes[position]
                position += 1
                if byte != UInt8(ascii: "\n") {
                    line.append(byte)
                    guard line.count <= Self.maximumLineLength else { throw malformed("a line is too long") }
                } else {
                    if line.last == UInt8(ascii: "\r") { line.removeLast() }
                    try takeLine(String(decoding: line, as: UTF8.self))
                    line.removeAll(keepingCapacity: true)
                }
            }
        }
        return content
    }

    /// Ends the body.
    ///
    /// - Returns: the fields of the trailer, names in lower case.
    /// - Throws: `S3Error` with `incompleteBody` where the body ended too early or was shorter than announced,
    ///   `signatureDoesNotMatch` where the signature of the trailer is missing.
    package consuming func finish() throws(S3Error) -> [(name: String, value: String)] {
        guard state == .end || state == .trailer, line.isEmpty, received == decodedLength else {
            throw S3Error(.incompleteBody)
        }
        guard payload != .signedChunksWithTrailer || trailerIsSigned else { throw S3Error(.signatureDoesNotMatch) }
        return trailer
    }

    private mutating func take(_ data: UnsafeRawBufferPointer, of remaining: Int64) throws(S3Error) {
        received += Int64(data.count)
        guard received <= decodedLength else {
            throw S3Error(.incompleteBody, "The body is longer than x-amz-decoded-content-length says.")
        }
        if signatures != nil { chunkHash.update(bufferPointer: data) }
        let left = remaining - Int64(data.count)
        if left > 0 {
            state = .data(remaining: left)
        } else {
            state = .dataEnd
            try verifyChunk()
        }
    }

    private mutating func takeLine(_ line: String) throws(S3Error) {
        switch state {
        case .sizeLine:
            try takeSizeLine(line)
        case .dataEnd:
            guard line.isEmpty else { throw malformed("a chunk is longer than its size") }
            state = .sizeLine
        case .trailer:
            try takeTrailerLine(line)
        case .end:
            // Some clients end the body with one empty line too many.
            strayLines += 1
            guard line.isEmpty, strayLines <= 2 else { throw malformed("there are bytes after the last chunk") }
        case .data:
            break
        }
    }

    /// Reads `<size in hexadecimal digits>[;chunk-signature=<64 hexadecimal digits>]`.
    private mutating func takeSizeLine(_ line: String) throws(S3Error) {
        let fields = line.split(separator: ";", omittingEmptySubsequences: false)
        guard let digits = fields.first, (1...15).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ Hexadecimal.value(of: $0) != nil }), let size = Int64(digits, radix: 16)
        else { throw malformed("the size of a chunk is not a hexadecimal number") }
        let prefix = "chunk-signature="
        let signature = fields.dropFirst().first { $0.hasPrefix(prefix) }
        chunkSignature = signature.map { String($0.dropFirst(prefix.utf8.count)) } ?? ""
        if size > 0 {
            state = .data(remaining: size)
        } else {
            state = .trailer
            try verifyChunk()
        }
    }

    private mutating func verifyChunk() throws(S3Error) {
        guard var signatures else { return }
        let digest = Hexadecimal.text(Array(chunkHash.finalize()))
        chunkHash = SHA256()
        try verify(chunkSignature, signatures.next(digest: digest))
        self.signatures = signatures
    }

    private mutating func takeTrailerLine(_ line: String) throws(S3Error) {
        guard !line.isEmpty else {
            // Where the trailer is signed, an empty line may stand before the signature.
            if payload != .signedChunksWithTrailer || trailerIsSigned { state = .end } else { strayLines += 1 }
            guard strayLines <= 1 else { throw malformed("the trailer has no signature") }
            return
        }
        let name = line.prefix { $0 != ":" }
        let value = line.dropFirst(name.count + 1).split { $0 == " " || $0 == "\t" }.joined(separator: " ")
        guard payload != .signedChunks, !trailerIsSigned, name.utf8.count < line.utf8.count, !name.isEmpty else {
            throw malformed("the trailer is not valid")
        }
        if name.lowercased() == Self.signatureField {
            guard var signatures else { throw malformed("the trailer is not valid") }
            try verify(value, signatures.trailer(trailer))
            trailerIsSigned = true
        } else {
            guard trailer.count < Self.maximumTrailerFields else { throw malformed("the trailer is too long") }
            trailer.append((name.lowercased(), value))
        }
    }

    private func verify(_ presented: String, _ actual: String) throws(S3Error) {
        guard PresentedSignature.areEqual(Array(presented.lowercased().utf8), Array(actual.utf8)) else {
            throw S3Error(.signatureDoesNotMatch, "The signature of a chunk or of the trailer does not match.")
        }
    }

    private func malformed(_ reason: String) -> S3Error {
        S3Error(.invalidRequest, "The aws-chunked body is not valid: \(reason).")
    }
}
