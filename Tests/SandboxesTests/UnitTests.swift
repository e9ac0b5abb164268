import Foundation
import Model
import SystemPackage
import Testing

@testable import Sandboxes

@Suite struct ImageReferenceTests {
    @Test(arguments: [
        ("alpine", "docker.io/library/alpine:latest"), ("alpine:3", "docker.io/library/alpine:3"),
        ("grycap/oscar", "docker.io/grycap/oscar:latest"), ("ghcr.io/a/b/c:1.2", "ghcr.io/a/b/c:1.2"),
        ("localhost/x", "localhost/x:latest"), ("localhost:5000/x:y", "localhost:5000/x:y"),
        ("docker://ghcr.io/a/b", "ghcr.io/a/b:latest"), ("index.docker.io/a/b", "docker.io/a/b:latest"),
        (
            "a/b:tag@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "docker.io/a/b@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
        ),
    ])
    func full(text: String, expected: String) {
        #expect(ImageReference.normalized(text) == expected)
        #expect(ImageReference.normalized(expected) == expected)
    }

    @Test(arguments: [
        "", " ", "a b", "A/B", "-x", "a//b", "/a", "a/", "a:", "a:b:c/", "a@sha256:xyz", "a@", "../x", "a/../b",
        "--flag",
        "-registry.io/a", "a;b", "a\nb", "é", String(repeating: "a", count: 600),
    ])
    func refused(text: String) {
        #expect(ImageReference.normalized(text) == nil)
    }
}

@Suite struct ShellTextTests {
    @Test(arguments: ["", "a", "it's", "'", "''", "$x `y` \\ \"", "line\nline", "ä😀", "-n", "\t*?[]"])
    func quotedTextIsOneWord(text: String) async throws {
        let lines = try await HostCommand(
            program: "/bin/sh", arguments: ["-c", "printf '%s|' \(ShellText.quoted(text)); printf end"]
        ).run()
        #expect(lines.joined(separator: "\n") == "\(text)|end")
    }

    @Test(arguments: [
        ("A", true), ("_a9", true), ("9a", false), ("", false), ("a-b", false), ("a.b", false), ("ä", false),
    ])
    func variableNames(name: String, isName: Bool) {
        #expect(ShellText.isVariableName(name) == isName)
    }
}

@Suite struct ControlGroupTests {
    private static let hybrid = """
        24 23 0:22 / /proc rw,relatime shared:5 - proc proc rw
        30 29 0:26 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
        31 29 0:27 / /sys/fs/cgroup/memory rw shared:1 master:2 - cgroup cgroup rw,memory
        32 29 0:28 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids
        33 29 0:29 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
        """

    @Test func hybridMachine() throws {
        let mounts = try #require(ControlGroupMounts(mountTable: Self.hybrid, membership: "4:memory:/\n0::/\n"))
        #expect(mounts.version == .v1)
        #expect(mounts.parents["cpu"] == "/sys/fs/cgroup/cpu,cpuacct")
        #expect(mounts.parents["cpuacct"] == "/sys/fs/cgroup/cpu,cpuacct")
        #expect(mounts.parents["memory"] == "/sys/fs/cgroup/memory")
        #expect(mounts.unifiedBesideV1 == "/sys/fs/cgroup/unified")
    }

    @Test func unifiedMachine() throws {
        let table = "30 29 0:26 / /sys/fs/a\\040b rw - cgroup2 cgroup2 rw\n"
        let mounts = try #require(ControlGroupMounts(mountTable: table, membership: "0::/user.slice\n"))
        #expect(mounts.version == .v2)
        #expect(mounts.parents == ["": "/sys/fs/a b"])
        #expect(mounts.unifiedBesideV1 == nil)
    }

    @Test(arguments: [
        "", "\n\n", "garbage - cgroup", "1 2 3 4 5 6 - cgroup x rw,memory", "1 2 0:1 / /p rw - proc p rw",
    ])
    func none(table: String) {
        #expect(ControlGroupMounts(mountTable: table, membership: "x\n:::\n") == nil)
    }

    @Test func valuesOfVersion2() async throws {
        let scratch = try Scratch()
        let group = ControlGroup(name: "g", version: .v2, paths: ["": scratch.path])
        for file in ["memory.max", "memory.swap.max", "pids.max", "cpu.max", "cgroup.procs", "cgroup.kill"] {
            try Data().write(to: URL(fileURLWithPath: scratch.path.string + "/" + file))
        }
        try group.set(ResourceLimits(cpu: MilliCPU(250), memory: .mebibytes(64), processes: 7))
        #expect(SystemFiles.text(scratch.path.appending("memory.max")) == "67108864")
        #expect(SystemFiles.text(scratch.path.appending("memory.swap.max")) == "0")
        #expect(SystemFiles.text(scratch.path.appending("cpu.max")) == "25000 100000")
        #expect(SystemFiles.text(scratch.path.appending("pids.max")) == "7")
        group.kill9()
        #expect(SystemFiles.text(scratch.path.appending("cgroup.kill")) == "1")
        for (file, text) in [
            ("memory.events", "low 0\nhigh 0\nmax 12\noom 1\noom_kill 3\n"), ("memory.peak", "4096\n"),
            ("cpu.stat", "usage_usec 1500\nuser_usec 1\n"),
        ] { try Data(text.utf8).write(to: URL(fileURLWithPath: scratch.path.string + "/" + file)) }
        #expect(group.outOfMemoryKills == 3)
        #expect(group.peakMemory == ByteCount(4096))
        #expect(group.cpuTime == .microseconds(1500))
    }

    @Test func noLimitsWriteNothing() throws {
        let group = ControlGroup(name: "g", version: .v1, paths: ["memory": "/nonexistent", "cpu": "/nonexistent"])
        try group.set(ResourceLimits(cpu: .zero, memory: .zero, processes: 0))
        #expect(throws: Errno.self) { try group.set(ResourceLimits(cpu: .zero, memory: ByteCount(1), processes: 0)) }
        #expect(group.cpuTime == nil && group.peakMemory == nil && group.outOfMemoryKills == 0 && group.members == [])
    }
}

@Suite struct SystemFilesTests {
    @Test func removesTreesWithoutFollowingLinks() throws {
        let scratch = try Scratch()
        let kept = try scratch.directory("kept").appending("file")
        try Data("x".utf8).write(to: URL(fileURLWithPath: kept.string))
        let tree = try scratch.directory("tree/a/b/c")
        try FileManager.default.createSymbolicLink(
            atPath: tree.string + "/link", withDestinationPath: kept.removingLastComponent().string
        )
        try FileManager.default.setAttributes([.posixPermissions: 0], ofItemAtPath: tree.string)
        SystemFiles.removeTree(scratch.path.appending("tree"))
        #expect(!SystemFiles.exists(scratch.path.appending("tree")))
        #expect(SystemFiles.exists(kept))
        SystemFiles.removeTree(scratch.path.appending("never there"))
    }

    @Test func shortNamesDiffer() {
        #expect(SystemFiles.shortName(of: "/a") != SystemFiles.shortName(of: "/b"))
        #expect(SystemFiles.shortName(of: "/var/lib/apus") == SystemFiles.shortName(of: "/var/lib/apus"))
    }
}
