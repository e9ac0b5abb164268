import Glibc
import SystemPackage

/// A directory of its own for one test, removed at the end.
func withTemporaryDirectory<Result>(_ body: (FilePath) throws -> Result) throws -> Result {
    var template = Array("/tmp/apus-identity-XXXXXX".utf8CString)
    guard let made = mkdtemp(&template) else { throw Errno(rawValue: errno) }
    let directory = FilePath(platformString: made)
    defer {
        for name in ["credentials.json", "credentials.json.new", "secret.key"] {
            _ = unlink(directory.appending(name).string)
        }
        // Fails where a test made the name a directory; that one goes first.
        _ = rmdir(directory.appending("credentials.json").string)
        _ = chmod(directory.string, 0o700)
        _ = rmdir(directory.string)
    }
    return try body(directory)
}

/// The rights of a file, as in `chmod`.
func mode(of path: FilePath) -> mode_t {
    var status = stat()
    return stat(path.string, &status) == 0 ? status.st_mode & 0o777 : 0
}

func write(_ text: String, to path: FilePath, mode: mode_t = 0o600) throws {
    let file = try FileDescriptor.open(
        path,
        .writeOnly,
        options: [.create, .truncate],
        permissions: .ownerReadWrite
    )
    try file.closeAfter { _ = try file.writeAll(text.utf8) }
    guard chmod(path.string, mode) == 0 else { throw Errno(rawValue: errno) }
}

func read(_ path: FilePath) throws -> String {
    let file = try FileDescriptor.open(path, .readOnly)
    return try file.closeAfter {
        var bytes = [UInt8](repeating: 0, count: 100_000)
        let count = try bytes.withUnsafeMutableBytes { try file.read(into: $0) }
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}
