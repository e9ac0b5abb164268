import Glibc
package import SystemPackage

/// A folder for one test, removed with all that is in it at the end.
package enum TemporaryFolder {
    package static func with<Result>(_ body: (FilePath) async throws -> Result) async throws -> Result {
        let path = FilePath("/tmp/apus-test-\(UInt64.random(in: 0 ... .max))")
        guard path.withPlatformString({ mkdir($0, 0o700) }) == 0 else { throw Errno(rawValue: errno) }
        defer { remove(path) }
        return try await body(path)
    }

    /// Removes a folder with all below it; links are removed, not followed.
    private static func remove(_ path: FilePath) {
        let isFolder = (try? path.information()).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false
        if isFolder { for name in (try? path.names()) ?? [] { remove(path.appending(name)) } }
        _ = path.withPlatformString { Glibc.remove($0) }
    }
}

extension FilePath {
    /// Writes a file for a test, with the folders above it.
    @discardableResult
    package func write(_ bytes: some Sequence<UInt8>) throws -> FilePath {
        var made = FilePath("/")
        for component in removingLastComponent().components {
            made.append(component)
            _ = made.withPlatformString { mkdir($0, 0o755) }
        }
        let file = try FileDescriptor.open(
            self, .writeOnly, options: [.create, .truncate], permissions: [.ownerReadWrite, .groupRead])
        try file.closeAfter { _ = try file.writeAll(Array(bytes)) }
        return self
    }

    /// The bytes of a file; `nil` where there is none.
    package func readAll() throws -> [UInt8]? {
        let file: FileDescriptor
        do { file = try FileDescriptor.open(self, .readOnly) } catch Errno.noSuchFileOrDirectory { return nil }
        return try file.closeAfter {
            var all: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = try chunk.withUnsafeMutableBytes { try file.read(into: $0) }
                if count == 0 { return all }
                all += chunk[0..<count]
            }
        }
    }

    /// The text of a file; `nil` where there is none.
    package func readText() throws -> String? { try readAll().map { String(decoding: $0, as: UTF8.self) } }

    /// The permission bits of a file or folder.
    package func mode() throws -> UInt32 { try information().st_mode & 0o7777 }

    fileprivate func information() throws -> Glibc.stat {
        var information = Glibc.stat()
        guard withPlatformString({ text in Glibc.lstat(text, &information) }) == 0 else {
            throw Errno(rawValue: errno)
        }
        return information
    }

    /// The names in a folder, sorted.
    package func names() throws -> [String] {
        guard let directory = withPlatformString({ opendir($0) }) else { throw Errno(rawValue: errno) }
        defer { closedir(directory) }
        var names: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}
