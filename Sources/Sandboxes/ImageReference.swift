/// The name of an image as people write it.
enum ImageReference {
    /// The full form of an OCI reference: registry and tag filled in as Docker does, so that `alpine`, `alpine:latest` and
    /// `docker.io/library/alpine` are the same (distribution/reference, "normalize").
    ///
    /// - Returns: `nil` where the text is not a reference.
    static func normalized(_ text: String) -> String? {
        guard (1...512).contains(text.utf8.count), text.utf8.allSatisfy({ isAllowed($0) }) else { return nil }
        var rest = text[...]
        if rest.hasPrefix("docker://") { rest = rest.dropFirst(9) }
        var suffix = ":latest"
        if let at = rest.firstIndex(of: "@") {
            suffix = String(rest[at...])
            rest = rest[..<at]
            guard isDigest(suffix.dropFirst()) else { return nil }
            // A digest says which image it is; a tag beside it does not matter.
            if let colon = tagColon(in: rest) { rest = rest[..<colon] }
        } else if let colon = tagColon(in: rest) {
            suffix = String(rest[colon...])
            rest = rest[..<colon]
            guard (2...129).contains(suffix.count), !suffix.contains("/") else { return nil }
        }
        var parts = rest.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        let hasRegistry =
            parts.count > 1 && (parts[0].contains(".") || parts[0].contains(":") || parts[0] == "localhost")
        if !hasRegistry {
            parts.insert(contentsOf: parts.count == 1 ? ["docker.io", "library"] : ["docker.io"], at: 0)
        }
        if parts[0] == "index.docker.io" { parts[0] = "docker.io" }
        guard parts.dropFirst().allSatisfy(isPathPart), isRegistry(parts[0]) else { return nil }
        return parts.joined(separator: "/") + suffix
    }

    private static func tagColon(in text: Substring) -> String.Index? {
        guard let colon = text.lastIndex(of: ":") else { return nil }
        if let slash = text.lastIndex(of: "/"), slash > colon { return nil }
        return colon
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
            || "._-/:@+".utf8.contains(byte)
    }

    private static func isPathPart(_ part: String) -> Bool {
        guard let first = part.utf8.first, let last = part.utf8.last else { return false }
        func isWord(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) }
        return isWord(first) && isWord(last) && part.utf8.allSatisfy { isWord($0) || "._-".utf8.contains($0) }
    }

    /// A host's name, with a port perhaps.
    private static func isRegistry(_ text: String) -> Bool {
        guard let first = text.utf8.first else { return false }
        func isWord(_ byte: UInt8) -> Bool {
            (0x61...0x7A).contains(byte) || (0x41...0x5A).contains(byte) || (0x30...0x39).contains(byte)
        }
        return isWord(first) && text.utf8.allSatisfy { isWord($0) || ".-:".utf8.contains($0) }
    }

    private static func isDigest(_ text: Substring) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        return parts.count == 2 && !parts[0].isEmpty && parts[1].utf8.count >= 32
            && parts[1].utf8.allSatisfy { (0x61...0x66).contains($0) || (0x30...0x39).contains($0) }
    }
}
