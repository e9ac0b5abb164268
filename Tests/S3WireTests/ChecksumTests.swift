import Model
import S3Wire
import Testing

@Suite struct ChecksumTests {
    @Test(arguments: [
        (ChecksumAlgorithm.crc32, "cbf43926"), (.crc32c, "e3069283"), (.crc64nvme, "ae8b14860a799888"),
        (.sha1, "f7c3bc1d808e04732adf679965ccc34ca7ae3441"),
        (.sha256, "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225"),
    ])
    func hasTheCheckValue(algorithm: ChecksumAlgorithm, expected: String) {
        #expect(Hexadecimal.text(Checksum.of(Array("123456789".utf8), algorithm)) == expected)
        #expect(algorithm.length * 2 == expected.utf8.count)
    }

    @Test func hasTheEmptyValues() {
        #expect(Checksum(.crc32).value == [0, 0, 0, 0])
        #expect(Base64.encode(Checksum(.crc64nvme).value) == "AAAAAAAAAAA=")
        #expect(Hexadecimal.text(MD5Digest().value) == "d41d8cd98f00b204e9800998ecf8427e")
        #expect(Hexadecimal.text(MD5Digest.of(Array("abc".utf8))) == "900150983cd24fb0d6963f7d28e17f72")
    }

    @Test(arguments: ChecksumAlgorithm.allCases) func isTheSameInPieces(algorithm: ChecksumAlgorithm) {
        var random = SystemRandomNumberGenerator()
        let content = (0..<5000).map { _ in UInt8.random(in: 0...255, using: &random) }
        let whole = Checksum.of(content, algorithm)
        for _ in 0..<20 {
            var checksum = Checksum(algorithm)
            var position = 0
            while position < content.count {
                let next = min(content.count, position + Int.random(in: 0...300, using: &random))
                checksum.update(Array(content[position..<next]))
                position = next
            }
            #expect(checksum.value == whole)
        }
    }

    @Test(arguments: [ChecksumAlgorithm.crc32, .crc32c, .crc64nvme]) func combines(algorithm: ChecksumAlgorithm) {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20 {
            let parts = (0..<Int.random(in: 1...6, using: &random)).map { _ in
                (0..<Int.random(in: 0...700, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            let combined = MultipartChecksum.fullObject(
                algorithm, parts: parts.map { (Checksum.of($0, algorithm), Int64($0.count)) }
            )
            #expect(combined == Checksum.of(parts.flatMap { $0 }, algorithm))
        }
    }

    @Test func combinesHugeLengths() {
        let zero = Checksum(.crc32).value
        let huge = MultipartChecksum.fullObject(.crc32, parts: [(zero, 0), ([1, 2, 3, 4], 5 << 40)])
        #expect(huge == [1, 2, 3, 4])
    }

    @Test func refusesWhatCannotBeCombined() {
        #expect(MultipartChecksum.fullObject(.sha256, parts: [([UInt8](repeating: 0, count: 32), 1)]) == nil)
        #expect(MultipartChecksum.fullObject(.crc32, parts: [([1, 2, 3], 1)]) == nil)
    }

    @Test func composes() {
        let parts = ["a", "b"].map { Checksum.of(Array($0.utf8), .sha256) }
        let digest = Base64.encode(Checksum.of(parts.flatMap { $0 }, .sha256))
        #expect(MultipartChecksum.composite(.sha256, parts: parts) == "\(digest)-2")
        let md5 = ["a", "b"].map { MD5Digest.of(Array($0.utf8)) }
        let eTag = Hexadecimal.text(MD5Digest.of(md5.flatMap { $0 }))
        #expect(MultipartChecksum.eTag(partDigests: md5) == "\(eTag)-2")
    }

    @Test func hasNames() {
        for algorithm in ChecksumAlgorithm.allCases {
            #expect(ChecksumAlgorithm(headerName: algorithm.headerName.uppercased()) == algorithm)
            #expect(ChecksumAlgorithm(name: algorithm.rawValue.lowercased()) == algorithm)
        }
        #expect(ChecksumAlgorithm(headerName: "x-amz-checksum-algorithm") == nil)
        #expect(ChecksumAlgorithm(headerName: "x-amz-meta-crc32") == nil)
    }
}
