import Glibc

/// Ports of this machine's loopback, or of this network namespace's.
enum Loopback {
    /// A connection, or -1.
    ///
    /// Programs that listen on `localhost` may be found at either address.
    static func connect(to port: UInt16) -> Int32 {
        let socket = connect(to: port, family: AF_INET)
        return socket >= 0 ? socket : connect(to: port, family: AF_INET6)
    }

    /// A port that nobody listens on now, or 0.
    static func freePort() -> UInt16 {
        let socket = Glibc.socket(AF_INET, Descriptors.stream, 0)
        guard socket >= 0 else { return 0 }
        defer { close(socket) }
        return withAddress(port: 0, family: AF_INET) { address, size in
            var size = size
            guard bind(socket, address, size) == 0, getsockname(socket, address, &size) == 0 else { return 0 }
            return address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
                UInt16(bigEndian: $0.pointee.sin_port)
            }
        }
    }

    private static func connect(to port: UInt16, family: Int32) -> Int32 {
        let socket = Glibc.socket(family, Descriptors.stream | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { return -1 }
        var yes: Int32 = 1
        setsockopt(socket, Int32(IPPROTO_TCP), TCP_NODELAY, &yes, 4)
        // Where nobody listens this is refused at once. It waits only for a program whose queue is full, and not for long.
        var patience = timeval(tv_sec: 2, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        let result = withAddress(port: port, family: family) { Glibc.connect(socket, $0, $1) }
        guard result == 0 else {
            close(socket)
            return -1
        }
        Descriptors.setNonBlocking(socket)
        return socket
    }

    private static func withAddress<Result>(
        port: UInt16,
        family: Int32,
        _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        var place = sockaddr_storage()
        return withUnsafeMutablePointer(to: &place) { pointer in
            let size: Int
            if family == AF_INET {
                size = MemoryLayout<sockaddr_in>.size
                pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { address in
                    address.pointee.sin_family = sa_family_t(AF_INET)
                    address.pointee.sin_port = port.bigEndian
                    address.pointee.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
                }
            } else {
                size = MemoryLayout<sockaddr_in6>.size
                pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { address in
                    address.pointee.sin6_family = sa_family_t(AF_INET6)
                    address.pointee.sin6_port = port.bigEndian
                    address.pointee.sin6_addr = in6addr_loopback
                }
            }
            return pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(size)) }
        }
    }
}
