import Glibc
import Model
import NIOCore
import SystemPackage

/// The input file and the output directory of one small execution, made before there is anything to execute.
///
/// The script can change both, so nothing in them is followed or trusted.
struct ScriptFiles: Sendable {
    let input: FilePath
    let output: FilePath
    /// Of the input file.
    let name: String
    private let modes: (input: mode_t, file: mode_t, output: mode_t)

    /// Makes them; waits for the disk.
    ///
    /// - Throws: `Errno`.
    init(number: Int, in exchange: InstanceExchange) throws(Errno) {
        input = exchange.outside.appending("run-in\(number)")
        output = exchange.outside.appending("run-out\(number)")
        name = Self.newName()
        modes = exchange.isForAnotherUser ? (0o755, 0o644, 0o777) : (0o700, 0o600, 0o700)
        do throws(Errno) {
            try SystemFiles.makeDirectory(input)
            try SystemFiles.makeDirectory(output)
            let file = try open(O_CREAT | O_EXCL)
            // Whatever the mask for new files says.
            fchmod(file, modes.file)
            close(file)
            try SystemFiles.changeMode(input, modes.input)
            try SystemFiles.changeMode(output, modes.output)
        } catch {
            remove()
            throw error
        }
    }

    private init(renewing used: ScriptFiles) {
        (input, output, modes, name) = (used.input, used.output, used.modes, Self.newName())
    }

    /// The same again for the next execution, under another name and empty, where the script has left them as they were.
    ///
    /// New files cost much more: on ext4 a file's number is given to another one only after some seconds, so that whoever makes and
    /// removes many looks through all of them for each (`recently_deleted` in fs/ext4/ialloc.c).
    func renewed() -> ScriptFiles? {
        guard Self.mode(of: input) == S_IFDIR | modes.input, Self.mode(of: output) == S_IFDIR | modes.output,
            SystemFiles.names(in: input) == [name], SystemFiles.names(in: output).isEmpty,
            Self.mode(of: input.appending(name)) == S_IFREG | modes.file, let file = try? open(O_TRUNC)
        else { return nil }
        defer { close(file) }
        var status = stat()
        let next = ScriptFiles(renewing: self)
        let isMoved = input.appending(name).withPlatformString { from in
            input.appending(next.name).withPlatformString { rename(from, $0) == 0 }
        }
        guard fstat(file, &status) == 0, status.st_nlink == 1, isMoved else { return nil }
        return next
    }

    private static func mode(of path: FilePath) -> mode_t {
        var status = stat()
        return path.withPlatformString { lstat($0, &status) } == 0 ? status.st_mode : 0
    }

    /// As OSCAR's supervisor names it, so that results that are named after it differ.
    private static func newName() -> String { "event-file-\(UniqueID.uuid())" }

    /// As the script sees it.
    func inside(_ path: FilePath, of exchange: InstanceExchange) -> String {
        "\(exchange.inside)/\(path.lastComponent?.string ?? "")"
    }

    /// Writes the input, into the page cache.
    func write(_ body: ByteBuffer) throws(Errno) {
        guard body.readableBytes > 0 else { return }
        let file = try open(0)
        defer { close(file) }
        var written = 0
        while written < body.readableBytes {
            let count = body.withUnsafeReadableBytes { bytes in
                Glibc.write(file, bytes.baseAddress.map { $0 + written }, bytes.count - written)
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw Errno(rawValue: errno) }
            written += count
        }
    }

    private func open(_ flags: Int32) throws(Errno) -> Int32 {
        let file = input.appending(name).withPlatformString {
            Glibc.open($0, O_WRONLY | O_NOFOLLOW | O_CLOEXEC | flags, 0o600)
        }
        guard file >= 0 else { throw Errno(rawValue: errno) }
        return file
    }

    /// Whether the script left files.
    var hasResults: Bool { SystemFiles.isDirectory(output) && !SystemFiles.names(in: output).isEmpty }

    /// Moves the output directory to that place; false where that cannot be done.
    func moveResults(to place: FilePath) -> Bool {
        output.withPlatformString { from in place.withPlatformString { rename(from, $0) } } == 0
    }

    /// Removes what is left; waits for the disk.
    func remove() {
        SystemFiles.removeTree(input)
        SystemFiles.removeTree(output)
    }
}
