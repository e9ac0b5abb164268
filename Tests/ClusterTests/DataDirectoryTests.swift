import Glibc
import LoopbackServer
import Model
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("The data directory")
struct DataDirectoryTests {
    private func message(_ root: FilePath) -> String? {
        do {
            try DataDirectory.open(at: root).close()
            return nil
        } catch {
            #expect(error.code == .dataDirectory)
            return error.message
        }
    }

    @Test("is made with its folders, for its owner alone")
    func make() async throws {
        try await TemporaryFolder.with { parent in
            let root = parent.appending("a/b")
            let data = try DataDirectory.open(at: root)
            defer { data.close() }
            for folder in [
                root, data.objects, data.images, data.services, data.work, data.deliveries, data.events, data.logs,
            ] {
                #expect(permissions(of: folder) == 0o700, "\(folder)")
            }
            #expect(try root.appending("VERSION").readAll() == Array("1\n".utf8))
        }
    }

    @Test("a second one is refused and told which process has it; after the end it is free")
    func lock() async throws {
        try await TemporaryFolder.with { root in
            let data = try DataDirectory.open(at: root)
            let text = try #require(message(root))
            #expect(text.contains("(process \(getpid()))") && text.contains("--data"))
            data.close()
            #expect(message(root) == nil)
        }
    }

    @Test("one of a newer version is refused and not touched")
    func newerVersion() async throws {
        try await TemporaryFolder.with { root in
            _ = try root.appending("VERSION").write("2\n".utf8)
            let text = try #require(message(root))
            #expect(text.contains("format 2") && text.contains("Nothing was changed"))
            #expect(try Folder.entries(root).map(\.name) == ["VERSION"])
            #expect(try root.appending("VERSION").readAll() == Array("2\n".utf8))
            // The refusal holds no lock: with the right version it opens.
            _ = try root.appending("VERSION").write("1\n".utf8)
            #expect(message(root) == nil)
        }
    }

    @Test("a version that is none is refused", arguments: ["", "x", "1.5", "99999999999999999999", "-"])
    func badVersion(text: String) async throws {
        try await TemporaryFolder.with { root in
            _ = try root.appending("VERSION").write(text.utf8)
            #expect(try #require(message(root)).contains("VERSION"))
            #expect(try Folder.entries(root).map(\.name) == ["VERSION"])
        }
    }

    @Test("a place that cannot be a folder is refused with a word on what to do")
    func noFolder() async throws {
        try await TemporaryFolder.with { root in
            _ = try root.appending("file").write("x".utf8)
            #expect(try #require(message(root.appending("file"))).contains("--data"))
            #expect(try #require(message(root.appending("file/inner"))).contains("--data"))
        }
    }

    @Test("the list of allowed images is kept")
    func allowedImages() async throws {
        try await TemporaryFolder.with { root in
            let file = root.appending("allowed.json")
            let images = try AllowedImages(file: file)
            #expect(images.list.isEmpty && images.allow("anything"))
            try await images.set(["ghcr.io/grycap", "", "a\"b\n"])
            #expect(images.list == ["ghcr.io/grycap", "a\"b\n"])
            #expect(images.allow("ghcr.io/grycap/cowsay:1") && !images.allow("docker.io/cowsay"))
            #expect(try AllowedImages(file: file).list == images.list)
            try await images.set([])
            #expect(try AllowedImages(file: file).allow("docker.io/cowsay"))
            for text in ["{", "", "\u{0}"] {
                _ = try file.write(text.utf8)
                #expect(throws: (any Error).self) { try AllowedImages(file: file) }
            }
        }
    }
}
