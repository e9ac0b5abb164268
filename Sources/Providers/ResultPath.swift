/// Where a result goes inside a provider, as parts that are safe to join with slashes.
///
/// Names come from user code. A name that would lead out of the output's path is refused here, once for all
/// providers.
struct ResultPath: Sendable, Hashable {
    /// How long path and name may be together, in bytes: PATH_MAX of Linux.
    static let maximumLength = 4096

    /// The parts of the output's path: `["bucket", "folder"]`.
    let base: [String]
    /// The parts of the result's name, at least one.
    let name: [String]

    var parts: [String] { base + name }
    /// The folder that the result lies in.
    var folder: [String] { parts.dropLast() }

    /// - Parameters:
    ///   - path: The output's path; slashes at its ends and double slashes are let pass, as in OSCAR.
    ///   - name: The result's relative name.
    /// - Throws: `ProviderError` with `invalidConfiguration`.
    init(path: String, name: String) throws(ProviderError) {
        guard path.utf8.count + name.utf8.count < Self.maximumLength else {
            throw ProviderError(
                .invalidConfiguration,
                "the result's name \"\(name.prefix(80))…\" is too long: path and name may have "
                    + "\(Self.maximumLength) bytes together"
            )
        }
        base = path.split(separator: "/").map(String.init)
        self.name = name.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
        for part in base where !Self.isSafe(part) {
            throw ProviderError(
                .invalidConfiguration,
                "the output path \"\(path)\" must not have \".\", \"..\" or control characters in it"
            )
        }
        for part in self.name where !Self.isSafe(part) {
            throw ProviderError(
                .invalidConfiguration,
                "the result's name \"\(Self.printable(name))\" is refused: it must be relative, without "
                    + "empty parts, \".\", \"..\" and control characters"
            )
        }
    }

    /// Backslashes count as dividers here, because servers on Windows take them for such.
    private static func isSafe(_ part: String) -> Bool {
        guard !part.isEmpty, part != ".",
            part.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
        else {
            return false
        }
        return !part.split(separator: "\\", omittingEmptySubsequences: false).contains("..")
    }

    private static func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.prefix(200).map { $0.value < 0x20 ? "?" : $0 }))
    }
}
