import Glibc
import InitWire
import Model
import NIOCore
package import SystemPackage

/// The socket through which a program's port is reached, whatever network its sandbox has.
///
/// It is made on this side, in a directory that the sandbox does not see: a path that a hostile program could replace by a link
/// would lead requests to any socket of the machine.
final class ServerSocket: Sendable {
    private static let name = "s"
    /// What a Unix socket's address takes, with some room for what others put before it (unix(7)).
    private static let longestPath = 100

    /// For `connect`, in this process only.
    let path: FilePath
    /// Holds the directory where its path is too long for an address.
    private let directory: Int32

    private init(path: FilePath, directory: Int32) { (self.path, self.directory) = (path, directory) }

    deinit { if directory >= 0 { close(directory) } }

    /// Has the program started, and waits until something accepts connections on its port.
    ///
    /// - Throws: `.invalid`, `.startFailed`.
    static func start(
        _ specification: InstanceSpecification,
        _ view: InstanceView,
        _ link: InstanceLink,
        port: Int
    ) async throws(SandboxError) -> ServerSocket {
        guard let declared = UInt16(exactly: port), declared > 0 else {
            throw SandboxError(.invalid, "\(port) is not the number of a port")
        }
        let (socket, listener) = try make(in: specification.directory.appending("server"))
        let boot = InitFrame.boot(
            InitFrame.Boot(
                kind: .port, arguments: view.command, environment: view.common(specification).lines,
                directory: view.workingDirectory, port: view.hasOwnNetwork ? declared : 0
            ))
        link.boot(boot, with: [listener])
        do { _ = try await link.booted.get() } catch {
            throw error as? SandboxError
                ?? SandboxError(.startFailed, "the program of \(specification.id) could not be started", cause: error)
        }
        return socket
    }

    /// The socket, and the descriptor that listens.
    private static func make(in directory: FilePath) throws(SandboxError) -> (ServerSocket, listener: Int32) {
        let door = try InstanceDoor(in: directory, name: name, mode: 0o600)
        let path = directory.appending(name)
        if path.string.utf8.count <= longestPath {
            return (ServerSocket(path: path, directory: -1), door.descriptor)
        }
        let holder = directory.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
        guard holder >= 0 else {
            let error = Errno(rawValue: errno)
            close(door.descriptor)
            throw SandboxError(.startFailed, "\(directory) could not be opened", cause: error)
        }
        return (ServerSocket(path: FilePath("/proc/self/fd/\(holder)/\(name)"), directory: holder), door.descriptor)
    }
}

extension SandboxInstance {
    /// A Unix socket whose connections lead to the program's port; `nil` but in mode server.
    ///
    /// To be connected to by this process only, and while the instance is there.
    package var serverSocket: FilePath? { server?.path }

    /// Brings an invocation's directories to where the instance's programs see them, for as long as the body takes.
    ///
    /// For mode server, whose requests somebody else makes. They are back when this returns.
    ///
    /// - Parameter body: gets the paths that the programs see.
    /// - Throws: `.invalid` (also for more at once than the specification says), `.startFailed`, and what the body throws.
    package func withFiles<Value>(
        of invocation: SandboxInvocation,
        _ body: (InstancePlaces) async throws -> Value
    ) async throws -> Value {
        try invocation.checkForm()
        let slot = try takeSlot()
        defer { leave(slot: slot) }
        let places = try bringIn(invocation, slot: slot)
        let result: Result<Value, any Error>
        do { result = .success(try await body(places)) } catch { result = .failure(error) }
        giveBack(invocation, slot: slot)
        return try result.get()
    }
}
