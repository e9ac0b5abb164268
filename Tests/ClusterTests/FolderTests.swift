import Glibc
import LoopbackServer
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("Folders")
struct FolderTests {
    @Test("making is fine twice, and makes parents")
    func make() async throws {
        try await TemporaryFolder.with { root in
            let deep = root.appending("a/b/c")
            try Folder.make(deep)
            try Folder.make(deep)
            #expect(try Folder.isFolder(deep))
            _ = try root.appending("file").write("x".utf8)
            #expect(throws: Errno.self) { try Folder.make(root.appending("file/inner")) }
        }
    }

    @Test("removing takes everything inside and follows no link")
    func remove() async throws {
        try await TemporaryFolder.with { root in
            let outside = root.appending("outside")
            _ = try outside.appending("kept").write("kept".utf8)
            let inside = root.appending("inside")
            _ = try inside.appending("a/b/file").write("x".utf8)
            #expect(symlink(outside.string, inside.appending("link").string) == 0)
            #expect(symlink(outside.appending("kept").string, inside.appending("a/link").string) == 0)
            #expect(symlink("nowhere", inside.appending("broken").string) == 0)
            #expect(mkfifo(inside.appending("fifo").string, 0o600) == 0)
            try Folder.remove(inside)
            #expect(try !Folder.isFolder(inside))
            #expect(try outside.appending("kept").readAll() == Array("kept".utf8))
        }
    }

    @Test("a link in the place of the folder is removed, not what it leads to")
    func removeLink() async throws {
        try await TemporaryFolder.with { root in
            _ = try root.appending("outside/kept").write("kept".utf8)
            let link = root.appending("link")
            #expect(symlink(root.appending("outside").string, link.string) == 0)
            try Folder.remove(link)
            #expect(try Folder.entries(root).map(\.name) == ["outside"])
            #expect(try Folder.entries(root.appending("outside")).map(\.name) == ["kept"])
        }
    }

    @Test("what is not there is no error")
    func removeNothing() async throws {
        try await TemporaryFolder.with { root in
            try Folder.remove(root.appending("nothing"))
            try Folder.removeFile(root.appending("nothing"))
            #expect(try Folder.entries(root.appending("nothing")).isEmpty)
            #expect(try Folder.files(below: root.appending("nothing")).isEmpty)
            #expect(try Folder.readSmallFile(root.appending("nothing")) == nil)
            #expect(Folder.size(of: root.appending("nothing")) == 0)
        }
    }

    @Test("names that are no UTF-8 are listed and removed")
    func rawNames() async throws {
        try await TemporaryFolder.with { root in
            let folder = root.appending("folder")
            try Folder.make(folder)
            let raw: [CChar] = Array(folder.string.utf8CString.dropLast()) + [0x2F, 0x61, CChar(bitPattern: 0xE9), 0]
            let file = open(raw, O_CREAT | O_WRONLY, 0o600)
            #expect(file >= 0)
            close(file)
            let files = try Folder.files(below: folder)
            #expect(files.map(\.name) == ["a\u{FFFD}"])
            #expect(files.first.map { Folder.exists($0.path) } == true)
            try Folder.remove(folder)
            #expect(try !Folder.isFolder(folder))
        }
    }

    @Test("a tree deeper than the longest path is removed", .timeLimit(.minutes(1)))
    func deepTree() async throws {
        try await TemporaryFolder.with { root in
            let folder = root.appending("folder")
            try Folder.make(folder)
            var inner = open(folder.string, O_RDONLY | O_DIRECTORY)
            for _ in 0..<3000 {
                #expect(mkdirat(inner, "deep", 0o700) == 0)
                let next = openat(inner, "deep", O_RDONLY | O_DIRECTORY)
                close(inner)
                inner = next
                guard inner >= 0 else { break }
            }
            close(inner)
            #expect(try Folder.files(below: folder).isEmpty)
            try Folder.remove(folder)
            #expect(try !Folder.isFolder(folder))
        }
    }

    @Test("files below: regular ones, with their relative names, no links")
    func files() async throws {
        try await TemporaryFolder.with { root in
            _ = try root.appending("b").write("12345".utf8)
            _ = try root.appending("a/x.txt").write("".utf8)
            _ = try root.appending("a/.hidden").write("1".utf8)
            try Folder.make(root.appending("empty"))
            #expect(symlink("b", root.appending("link").string) == 0)
            #expect(symlink("/etc", root.appending("etc").string) == 0)
            #expect(mkfifo(root.appending("fifo").string, 0o600) == 0)
            let files = try Folder.files(below: root)
            #expect(files.map(\.name) == ["a/.hidden", "a/x.txt", "b"])
            #expect(files.map(\.size) == [1, 0, 5])
            #expect(try Folder.files(below: root.appending("etc")).isEmpty)
        }
    }

    @Test("reading parts of files")
    func reading() async throws {
        try await TemporaryFolder.with { root in
            let path = try root.appending("file").write([UInt8](0...99))
            #expect(try Folder.read(path, from: 10, atMost: 5) == Array(10..<15))
            #expect(try Folder.read(path, from: 98, atMost: 5) == [98, 99])
            #expect(try Folder.read(path, from: 100, atMost: 5) == [])
            #expect(try Folder.read(path, from: 0, exactly: 100) == Array(0...99))
            #expect(throws: Errno.self) { try Folder.read(path, from: 50, exactly: 51) }
            #expect(try Folder.readFile(path).count == 100)
            #expect(try Folder.readSmallFile(path, limit: 10)?.utf8.count ?? 0 >= 10)
        }
    }

    @Test("a durable file is there whole, with its mode, and leaves nothing beside it")
    func durable() async throws {
        try await TemporaryFolder.with { root in
            let path = root.appending("file")
            for text in ["long text", "x"] {
                try Folder.writeDurably(path, text, mode: 0o640)
                #expect(try path.readAll() == Array(text.utf8))
            }
            #expect(permissions(of: path) == 0o640)
            #expect(throws: Errno.self) { try Folder.writeDurably(root.appending("none/file"), "x", mode: 0o600) }
            try Folder.make(root.appending("folder"))
            #expect(throws: Errno.self) { try Folder.writeDurably(root.appending("folder"), "x", mode: 0o600) }
            #expect(try Folder.entries(root).map(\.name) == ["file", "folder"])
        }
    }

    @Test("many who write one file at once leave one of their texts")
    func concurrentWrites() async throws {
        try await TemporaryFolder.with { root in
            let path = root.appending("file")
            let texts = (0..<20).map { String(repeating: "\($0 % 10)", count: 10_000) }
            try await withThrowingTaskGroup(of: Void.self) { group in
                for text in texts {
                    group.addTask { try await Folder.offload { try Folder.writeDurably(path, text, mode: 0o600) } }
                }
                try await group.waitForAll()
            }
            #expect(texts.contains(try #require(try Folder.readSmallFile(path))))
            #expect(try Folder.entries(root).map(\.name) == ["file"])
        }
    }

    @Test("file work goes on in a cancelled task: cleaning up is the point of it")
    func offloadCancelled() async throws {
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await Folder.offload { 7 }
        }
        #expect(try await task.value == 7)
    }

    @Test("a work folder is made empty, whatever an earlier attempt left")
    func workFolder() async throws {
        try await TemporaryFolder.with { root in
            _ = try root.appending("job/input/old").write("x".utf8)
            _ = try root.appending("job/output/old").write("x".utf8)
            _ = try root.appending("job/stdout").write("x".utf8)
            let folder = try await WorkFolder.make("job", in: root)
            #expect(try Folder.entries(folder.root).map(\.name) == ["input", "output", "sandbox"])
            #expect(try Folder.files(below: folder.root).isEmpty)
            try await folder.remove()
            #expect(try Folder.entries(root).isEmpty)
        }
    }
}

extension Folder {
    fileprivate static func exists(_ path: FilePath) -> Bool { path.withPlatformString { access($0, F_OK) } == 0 }
}
