/// What clients accept.
enum MediaTypes {
    private static let bytes = Array("application/octet-stream".utf8)

    /// Whether the value of an `Accept` header asks for plain bytes, in letters of any case.
    static func wantsBytes(_ accept: String?) -> Bool {
        guard let accept = accept?.utf8, accept.count >= bytes.count else { return false }
        // Looked for byte by byte: the search of the standard library, by characters, was seen in profiles.
        var rest = accept[...]
        while rest.count >= bytes.count {
            if zip(rest, bytes).allSatisfy({ $0 == $1 || $1 >= 0x61 && $0 | 0x20 == $1 }) { return true }
            rest = rest.dropFirst()
        }
        return false
    }
}
