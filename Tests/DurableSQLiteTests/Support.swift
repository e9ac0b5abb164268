import DurableSQLite
import GRDB
import Glibc
import SystemPackage

/// A directory that goes with the object.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        var template = Array("/tmp/durable-sqlite-tests-XXXXXX".utf8CString)
        guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
        path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    deinit {
        for name in (try? files()) ?? [] { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    func files() throws -> [String] {
        guard let stream = opendir(path) else { throw Errno(rawValue: errno) }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

func contents(of path: String) throws -> [UInt8] {
    let file = try FileDescriptor.open(FilePath(path), .readOnly)
    return try file.closeAfter {
        var all: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65536)
        while case let count = try chunk.withUnsafeMutableBytes({ try file.read(into: $0) }), count > 0 {
            all += chunk[..<count]
        }
        return all
    }
}

func write(_ bytes: [UInt8], to path: String) throws {
    let file = try FileDescriptor.open(
        FilePath(path),
        .writeOnly,
        options: [.create, .truncate],
        permissions: .ownerReadWrite
    )
    try file.closeAfter { _ = try file.writeAll(bytes) }
}

let numbers = SchemaStep(
    "numbers",
    sql: "CREATE TABLE numbers (value INTEGER PRIMARY KEY, word TEXT NOT NULL)"
)
let children = SchemaStep(
    "children",
    sql: "CREATE TABLE children (id INTEGER PRIMARY KEY, parent INTEGER NOT NULL REFERENCES numbers(value))"
)

extension DurableDatabase {
    func insert(_ value: Int, _ word: String = "word") async throws {
        try await write {
            try $0.execute(sql: "INSERT INTO numbers VALUES (?, ?)", arguments: [value, word])
        }
    }

    func values() async throws -> [Int] {
        try await read { try Int.fetchAll($0, sql: "SELECT value FROM numbers ORDER BY value") }
    }
}
