import Foundation
import Subprocess
import SystemPackage

@testable import Sandboxes

/// Container sandboxes with an image of busybox, made without any network.
enum ContainerFixture {
    static let image = "test/busybox:1"
    private static let busybox = "/bin/busybox"

    /// Why containers cannot be tested here, or `nil`.
    static var reasonAgainst: String? {
        get async { await check.value }
    }

    /// Why containers of runc cannot be tested here, or `nil`.
    static var reasonAgainstRunc: String? {
        get async { await checkOfRunc.value }
    }

    private static let check = Task<String?, Never> { await tryOut(ContainerRuntime.Family.allCases) }
    private static let checkOfRunc = Task<String?, Never> { await tryOut([.runc]) }

    private static func tryOut(_ families: [ContainerRuntime.Family]) async -> String? {
        guard FileManager.default.isExecutableFile(atPath: busybox) else {
            return "no static busybox (apt-get install busybox-static)"
        }
        do {
            let scratch = try Scratch()
            let sandbox = try await sandbox(in: scratch, network: .none, families: families)
            await sandbox.shutDown()
            return nil
        } catch {
            return "\(error)"
        }
    }

    static func sandbox(
        in scratch: Scratch,
        network: SandboxNetwork,
        families: [ContainerRuntime.Family] = ContainerRuntime.Family.allCases
    ) async throws -> ContainerSandbox {
        let images = try await ImageStore.open(at: scratch.path.appending("images"))
        try await images.add(image, from: .file(try await rootFileSystemArchive(in: scratch)))
        let settings = ContainerSandbox.Settings(dataDirectory: scratch.path, network: network)
        return try await ContainerSandbox.open(settings, images: images, families: families)
    }

    /// A directory with a root file system of busybox.
    static func rootFileSystem(in scratch: Scratch) throws -> FilePath {
        let root = try scratch.directory("busybox")
        for name in ["bin", "etc", "root", "home/user", "work"] { _ = try scratch.directory("busybox/\(name)") }
        let program = root.string + "/bin/busybox"
        guard !FileManager.default.fileExists(atPath: program) else { return root }
        try FileManager.default.copyItem(atPath: busybox, toPath: program)
        let applets =
            "sh true false cat echo ls id mount umount env sleep dd kill head tr mkdir touch ps wc printf setsid "
            + "hostname unshare grep ip wget nc stat find date mknod chmod test"
        for applet in applets.split(separator: " ") {
            try FileManager.default.createSymbolicLink(
                atPath: root.string + "/bin/\(applet)", withDestinationPath: "busybox"
            )
        }
        try Data("root:x:0:0::/root:/bin/sh\nuser:x:1234:1234::/home/user:/bin/sh\n".utf8)
            .write(to: URL(fileURLWithPath: root.string + "/etc/passwd"))
        try Data("root:x:0:\nuser:x:1234:\n".utf8).write(to: URL(fileURLWithPath: root.string + "/etc/group"))
        return root
    }

    static func rootFileSystemArchive(in scratch: Scratch) async throws -> FilePath {
        let root = try rootFileSystem(in: scratch)
        let archive = scratch.path.appending("rootfs.tar")
        try await shell("tar -cf '\(archive)' -C '\(root)' .")
        return archive
    }
}

/// Runs a shell command to its end; the tests' own set-up, not what is tested.
///
/// - Returns: what it wrote to its standard output.
@discardableResult
func shell(_ command: String) async throws -> String {
    let result = try await Subprocess.run(
        .path("/bin/sh"), arguments: ["-c", command], input: .none, output: .string(limit: 1 << 20), error: .discarded
    )
    guard result.terminationStatus.isSuccess else { throw SetUpError(command: command) }
    return result.standardOutput
}

struct SetUpError: Error { var command: String }
