import Glibc
import SystemPackage

/// The socket at which the first process of an instance finds its Apus: there for one connection, which is made before any
/// code of the service runs.
struct InstanceDoor: Sendable {
    static let name = "c"

    let directory: FilePath
    let descriptor: Int32

    /// Makes the directory, and the socket in it.
    ///
    /// - Parameters:
    ///   - name: what the socket is called in it.
    ///   - mode: who may connect, beside what the directories above say.
    /// - Throws: `.startFailed`.
    init(in directory: FilePath, name: String = Self.name, mode: mode_t = 0o666) throws(SandboxError) {
        self.directory = directory
        do { descriptor = try Self.listen(in: directory, name, mode) } catch {
            throw SandboxError(.startFailed, "a socket in \(directory) could not be made: \(error)", cause: error)
        }
    }

    /// Removes the socket's name; the connection stays.
    func hide() { _ = directory.appending(Self.name).withPlatformString { unlink($0) } }

    private static func listen(in directory: FilePath, _ name: String, _ mode: mode_t) throws(Errno) -> Int32 {
        try SystemFiles.makeDirectory(directory)
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw Errno(rawValue: errno) }
        let result = SocketAddress.with(name, in: directory) { address, size in
            bind(socket, address, size) == 0 && Glibc.listen(socket, 1024) == 0 ? 0 : errno
        }
        guard result == 0 else {
            close(socket)
            throw Errno(rawValue: result)
        }
        // The user of an image must be able to connect; the directories above are closed to everybody else.
        try SystemFiles.changeMode(directory.appending(name), mode)
        return socket
    }
}

/// Addresses of Unix sockets, which must be shorter than paths may be.
enum SocketAddress {
    /// Calls the body with the address of that name in a directory, whose own path may be of any length.
    ///
    /// - Returns: what the body returns, or an error's number.
    static func with(
        _ name: String,
        in directory: FilePath,
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32
    ) -> Int32 {
        let place = directory.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard place >= 0 else { return errno }
        defer { close(place) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let path = Array("/proc/self/fd/\(place)/\(name)".utf8)
        guard path.count < MemoryLayout.size(ofValue: address.sun_path) else { return ENAMETOOLONG }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
