import Glibc

/// The last words of this program, for the log of the instance.
enum Report {
    /// Says so on the standard error, and ends.
    static func fail(_ message: String) -> Never {
        let text = "apus-init: \(message)\n"
        _ = text.withCString { write(2, $0, strlen($0)) }
        exit(125)
    }
}
