import LoopbackServer
import NIOCore
import Subprocess
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("ZIP archives")
struct ZipArchiveTests {
    private static func archive(of folder: FilePath) async throws -> [UInt8] {
        var bytes: [UInt8] = []
        try await ZipArchive.write(try Folder.files(below: folder)) { bytes += Array(buffer: $0) }
        return bytes
    }

    @Test("an archive of nothing is an end of central directory")
    func empty() async throws {
        try await TemporaryFolder.with { root in
            let bytes = try await Self.archive(of: root)
            #expect(bytes.count == 56 + 20 + 22)
            #expect(Array(bytes.suffix(22).prefix(4)) == [0x50, 0x4B, 5, 6])
        }
    }

    @Test("signatures, names and sizes lie where the format says")
    func layout() async throws {
        try await TemporaryFolder.with { root in
            _ = try root.appending("é").write("abc".utf8)
            let bytes = try await Self.archive(of: root)
            #expect(Array(bytes[0..<4]) == [0x50, 0x4B, 3, 4])
            #expect(bytes[6] == 0x08 && bytes[7] == 0x08)
            #expect(Array(bytes[30..<32]) == Array("é".utf8))
            #expect(Array(bytes[52..<55]) == Array("abc".utf8))
            // CRC-32 of "abc" is 0x352441C2.
            #expect(Array(bytes[55..<63]) == [0x50, 0x4B, 7, 8, 0xC2, 0x41, 0x24, 0x35])
        }
    }

    @Test("python reads back what was packed", .enabled(if: FilePath("/usr/bin/python3").isFile))
    func python() async throws {
        try await TemporaryFolder.with { root in
            var random = SeededGenerator(seed: 7)
            let folder = root.appending("in")
            let contents: [(String, [UInt8])] = [
                ("empty", []), ("one", [0]), ("sub/große Datei.bin", random.bytes(700_000)),
                ("sub/deep/er/x.txt", Array("x\n".utf8)),
                (String(repeating: "n", count: 250), [1, 2, 3]), ("-dash", [4]),
            ]
            for (name, bytes) in contents { _ = try folder.appending(name).write(bytes) }
            let path = try root.appending("all.zip").write(try await Self.archive(of: folder))
            let script = """
                import sys, zipfile
                archive = zipfile.ZipFile(sys.argv[1])
                assert archive.testzip() is None
                for info in sorted(archive.infolist(), key=lambda info: info.filename):
                    assert info.date_time[0] >= 1980 and info.compress_type == 0
                    print(info.filename, info.file_size)
                archive.extractall(sys.argv[2])
                """
            let out = root.appending("out")
            let run = try await Subprocess.run(
                .path("/usr/bin/python3"), arguments: ["-c", script, path.string, out.string],
                output: .string(limit: 1 << 20),
                error: .string(limit: 1 << 20)
            )
            #expect(run.terminationStatus.isSuccess, "\(run.standardError)")
            for (name, bytes) in contents { #expect(try out.appending(name).readAll() == bytes, "\(name)") }
            #expect(run.standardOutput.split(separator: "\n").count == contents.count)
        }
    }

    @Test("the size of an archive of many files is right")
    func many() async throws {
        try await TemporaryFolder.with { root in
            for index in 0..<300 { _ = try root.appending("f\(index)").write("\(index)".utf8) }
            let bytes = try await Self.archive(of: root)
            let end = bytes.suffix(22)
            let count = Int(end[end.startIndex + 8]) | Int(end[end.startIndex + 9]) << 8
            #expect(count == 300)
        }
    }

    @Test("what the writer throws comes out")
    func failingWriter() async throws {
        struct Full: Error {}
        try await TemporaryFolder.with { root in
            _ = try root.appending("f").write("x".utf8)
            let files = try Folder.files(below: root)
            await #expect(throws: Full.self) { try await ZipArchive.write(files) { _ in throw Full() } }
        }
    }
}

extension FilePath {
    fileprivate var isFile: Bool { (try? FileDescriptor.open(self, .readOnly).close()) != nil }
}
