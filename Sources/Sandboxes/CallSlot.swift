import Glibc
import NIOCore
import SystemPackage

/// The input file and the output directory of small calls, used again and again: so that a call costs a few system calls, and
/// nothing is made and removed.
///
/// Both can be changed by the program at any time; nothing in them is followed or trusted.
final class CallSlot {
    /// What comes before and after the number of a call in its line.
    let line: (beginning: [UInt8], end: [UInt8])
    private let input: FilePath
    private let output: FilePath
    private let isForAnotherUser: Bool
    private var file: Int32 = -1
    private var directory: Int32 = -1
    /// When the output directory was last changed, by us.
    private var lastChange = timespec()
    /// Whether a later change would show: the clock of files has only moved on then.
    private var isSettled = false

    /// Makes both.
    ///
    /// - Throws: `Errno`.
    init(number: Int, in exchange: InstanceExchange) throws {
        let (inputs, outputs) = ("call-in\(number)", "call-out\(number)")
        let folder = exchange.outside.appending(inputs)
        try SystemFiles.makeDirectory(folder)
        input = folder.appending("body")
        output = exchange.outside.appending(outputs)
        isForAnotherUser = exchange.isForAnotherUser
        line = ResidentRequest.line(
            input: "\(exchange.inside)/\(inputs)/body", output: "\(exchange.inside)/\(outputs)", event: nil)
        try makeFile()
        try makeDirectory()
    }

    deinit {
        if file >= 0 { close(file) }
        if directory >= 0 { close(directory) }
    }

    /// Replaces the content of the input file.
    func write(_ body: ByteBuffer) throws(Errno) {
        var status = stat()
        if fstat(file, &status) != 0 || status.st_nlink == 0 {
            try makeFile()
            status.st_size = 0
        }
        let file = file
        let size = body.readableBytes
        var written = 0
        while written < size {
            let count = body.withUnsafeReadableBytes { bytes in
                pwrite(file, bytes.baseAddress.map { $0 + written }, size - written, off_t(written))
            }
            guard count > 0 else { throw Errno(rawValue: errno) }
            written += count
        }
        if status.st_size > size, ftruncate(file, off_t(size)) != 0 { throw Errno(rawValue: errno) }
    }

    /// The output directory where there is something in it, moved to that place; a new one takes its place.
    func takeFiles(to place: @autoclosure () -> FilePath) throws(Errno) -> FilePath? {
        guard hasChanged() else { return nil }
        let place = place()
        guard output.withPlatformString({ from in place.withPlatformString { rename(from, $0) } }) == 0 else {
            try makeDirectory()
            return nil
        }
        try makeDirectory()
        guard SystemFiles.isDirectory(place), !SystemFiles.names(in: place).isEmpty else {
            SystemFiles.removeTree(place)
            return nil
        }
        return place
    }

    private func hasChanged() -> Bool {
        var status = stat()
        guard fstat(directory, &status) == 0, status.st_nlink > 0, status.st_mtim == lastChange else { return true }
        if isSettled { return false }
        guard SystemFiles.isDirectory(output), SystemFiles.names(in: output).isEmpty else { return true }
        settle()
        return false
    }

    private func makeFile() throws(Errno) {
        if file >= 0 { close(file) }
        let folder = input.removingLastComponent()
        if !SystemFiles.isDirectory(folder) {
            SystemFiles.removeTree(folder)
            try SystemFiles.makeDirectory(folder)
        }
        SystemFiles.removeTree(input)
        file = input.withPlatformString { open($0, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644) }
        guard file >= 0 else { throw Errno(rawValue: errno) }
    }

    private func makeDirectory() throws(Errno) {
        if directory >= 0 { close(directory) }
        directory = -1
        SystemFiles.removeTree(output)
        try SystemFiles.makeDirectory(output)
        directory = output.withPlatformString { open($0, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC) }
        guard directory >= 0 else { throw Errno(rawValue: errno) }
        if isForAnotherUser { fchmod(directory, 0o777) }
        settle()
    }

    /// Remembers how the directory is now.
    private func settle() {
        var (status, now) = (stat(), timespec())
        clock_gettime(CLOCK_REALTIME_COARSE, &now)
        guard fstat(directory, &status) == 0 else { return }
        lastChange = status.st_mtim
        isSettled = (lastChange.tv_sec, lastChange.tv_nsec) < (now.tv_sec, now.tv_nsec)
    }
}

extension timespec {
    fileprivate static func == (left: timespec, right: timespec) -> Bool {
        (left.tv_sec, left.tv_nsec) == (right.tv_sec, right.tv_nsec)
    }
}
