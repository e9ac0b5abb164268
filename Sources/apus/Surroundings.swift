import Model
import Settings
import SystemPackage

#if canImport(CoreFoundation)
// See Cluster/Folder.swift.
import CoreFoundation
#endif
#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// The wall clock of this machine.
enum Clock {
    static let now: @Sendable () -> Instant = {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Instant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }
}

/// What this machine is called, and what it is.
enum HostName {
    static var current: String {
        var name = [CChar](repeating: 0, count: 256)
        guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
        return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// The bytes of an address, 4 or 16; `nil` for a name.
    static func bytes(ofAddress text: String) -> [UInt8]? {
        var four = in_addr()
        if inet_pton(AF_INET, text, &four) == 1 { return withUnsafeBytes(of: four) { Array($0) } }
        var six = in6_addr()
        guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        return withUnsafeBytes(of: six) { Array($0) }
    }

    /// In Go's words, as OSCAR's clients know them.
    static var architecture: String {
        #if arch(x86_64)
        "amd64"
        #elseif arch(arm64)
        "arm64"
        #else
        "unknown"
        #endif
    }
}

extension ServeSettings.Address {
    /// Where a client on this machine reaches what listens here.
    func url(isSecure: Bool) -> String {
        let host = self.host == "0.0.0.0" || self.host == "::" ? "127.0.0.1" : self.host
        return "\(isSecure ? "https" : "http")://\(Self(host: host, port: port))"
    }

    /// The address with a port that is free now: a port of 0 becomes one that the system chose.
    ///
    /// - Throws: `SettingError` where the address is in use or cannot be had.
    func reserved(flag: String) throws(SettingError) -> Self {
        var hints = addrinfo()
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        hints.ai_flags = AI_PASSIVE
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(host, "\(port)", &hints, &list) == 0, let first = list else {
            throw SettingError(message: "--\(flag): the host \"\(host)\" is not known")
        }
        defer { freeaddrinfo(list) }
        let descriptor = socket(first.pointee.ai_family, first.pointee.ai_socktype, first.pointee.ai_protocol)
        guard descriptor >= 0 else { throw SettingError(message: "--\(flag): no socket: \(Self.reason())") }
        defer { Glibc.close(descriptor) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard bind(descriptor, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else {
            throw SettingError(
                message: "--\(flag): cannot listen on \(self): \(Self.reason()); choose another address, as in "
                    + "--\(flag) \(Self(host: host, port: port + 100))"
            )
        }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let bound = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
        }
        guard bound == 0 else { throw SettingError(message: "--\(flag): \(Self.reason())") }
        // The port stands at the same place for both families.
        let chosen = withUnsafeBytes(of: storage) { Int($0[2]) << 8 | Int($0[3]) }
        return Self(host: host, port: chosen)
    }

    private static func reason() -> String { String(cString: strerror(errno)) }
}

extension FilePath {
    /// The path from the root, where it is relative seen from the working directory.
    var madeAbsolute: FilePath {
        guard isRelative, let text = getcwd(nil, 0) else { return lexicallyNormalized() }
        defer { free(text) }
        return FilePath(platformString: text).pushing(self).lexicallyNormalized()
    }
}
