import Glibc

/// Files and sockets by their numbers.
enum Descriptors {
    /// A stream socket's type; the constants are of different types in different C libraries.
    static let stream = Int32(SOCK_STREAM.rawValue)

    /// - Returns: the connected socket, or -1.
    static func connect(to path: String) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        let bytes = Array(path.utf8)
        guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else { return -1 }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
        let socket = Glibc.socket(AF_UNIX, stream | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return -1 }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard result == 0 else {
            close(socket)
            return -1
        }
        setNonBlocking(socket)
        return socket
    }

    static func setNonBlocking(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
    }

    /// A pipe that children do not inherit.
    static func pipe(nonBlocking: Bool) -> (read: Int32, write: Int32)? {
        var ends: [Int32] = [-1, -1]
        guard Glibc.pipe(&ends) == 0 else { return nil }
        for end in ends {
            _ = fcntl(end, F_SETFD, FD_CLOEXEC)  // before anything can be started: there is one thread
            if nonBlocking { setNonBlocking(end) }
        }
        return (ends[0], ends[1])
    }

    /// Reads bytes and the descriptors that came with them.
    ///
    /// - Returns: as `read`.
    static func receive(
        _ socket: Int32,
        into buffer: UnsafeMutableRawBufferPointer,
        descriptors: inout [Int32]
    ) -> Int {
        // A header of 16 bytes and up to 4 numbers (cmsg(3), 64 bit).
        withUnsafeTemporaryAllocation(byteCount: 64, alignment: 8) { control in
            var piece = iovec(iov_base: buffer.baseAddress, iov_len: buffer.count)
            return withUnsafeMutablePointer(to: &piece) { pieces in
                var message = msghdr()
                message.msg_iov = pieces
                message.msg_iovlen = 1
                message.msg_control = control.baseAddress
                message.msg_controllen = 64
                let count = recvmsg(socket, &message, Int32(MSG_CMSG_CLOEXEC))
                guard count >= 0, message.msg_controllen >= 16 else { return count }
                let length = control.load(as: Int.self)
                guard control.load(fromByteOffset: 8, as: Int32.self) == SOL_SOCKET,
                    control.load(fromByteOffset: 12, as: Int32.self) == Int32(SCM_RIGHTS), length <= 64
                else { return count }
                for offset in stride(from: 16, to: length, by: 4) {
                    descriptors.append(control.load(fromByteOffset: offset, as: Int32.self))
                }
                return count
            }
        }
    }

    /// Milliseconds of a clock that only goes forward.
    static func now() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return UInt64(time.tv_sec) * 1000 + UInt64(time.tv_nsec) / 1_000_000
    }
}
