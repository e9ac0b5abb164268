import TestKit

/// Makes documents that a client would not send: known elements in any order and number, broken and hostile texts.
struct SeededDocuments {
    private var generator: SeededGenerator
    private static let texts = [
        "", "1", "0", "-1", "30", "2147483648", "99999999999999999999", "Enabled", "Disabled", "true", "logs/",
        "2030-01-01T00:00:00Z", "2030-13-45T99:00:00Z", "s3:ObjectCreated:*", "s3:ObjectRemoved:Delete", "prefix",
        "suffix", "arn:minio:sqs::audit:webhook", "arn:::::", "&lt;&amp;&#x41;&#0;", "&undefined;", "<![CDATA[<x>]]>",
        "\u{0}", "é\u{301}\u{1F426}", "]]>", "<!-- no -->", "<!DOCTYPE a [<!ENTITY b \"c\">]>", "<?php ?>",
    ]

    init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

    mutating func document(root: String, names: [String]) -> [UInt8] {
        var bytes = Array(
            element(Int.random(in: 0..<50, using: &generator) == 0 ? "Other" : root, names, depth: 0).utf8)
        guard Int.random(in: 0..<4, using: &generator) == 0, !bytes.isEmpty else { return bytes }
        // Broken anywhere.
        switch Int.random(in: 0..<3, using: &generator) {
        case 0: bytes.removeLast(Int.random(in: 1...bytes.count, using: &generator))
        case 1: bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
        default: bytes.insert(contentsOf: generator.bytes(3), at: Int.random(in: 0...bytes.count, using: &generator))
        }
        return bytes
    }

    private mutating func element(_ name: String, _ names: [String], depth: Int) -> String {
        var inner = ""
        if depth < 4 {
            for _ in 0..<Int.random(in: 0...4, using: &generator) {
                inner += element(names.randomElement(using: &generator) ?? name, names, depth: depth + 1)
            }
        }
        if inner.isEmpty || Int.random(in: 0..<20, using: &generator) == 0 {
            inner += Self.texts.randomElement(using: &generator) ?? ""
        }
        return "<\(name)>\(inner)</\(name)>"
    }
}
