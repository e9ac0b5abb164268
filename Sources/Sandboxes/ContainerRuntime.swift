import Glibc
import SystemPackage

/// An OCI runtime that works on this machine.
struct ContainerRuntime: Sendable {
    enum Family: String, Sendable, CaseIterable {
        case crun
        case runc
    }

    let family: Family
    let program: FilePath
    /// The version 2 hierarchy of a hybrid machine, which crun refuses to see; it is unmounted in crun's own namespace.
    let hiddenHierarchy: FilePath?
    /// `volatile`, where the kernel has it (5.10): unmounting need not write what is thrown away to the disk.
    let overlayOptions: [String]

    /// What a runtime can be, from the best one down, on this machine.
    ///
    /// - Throws: `.unavailable` with what to install.
    static func candidates(
        _ mounts: ControlGroupMounts,
        _ families: [Family]
    ) throws(SandboxError) -> [ContainerRuntime] {
        guard geteuid() == 0 else {
            throw SandboxError(
                .unavailable,
                "containers need root: run apus serve as root, or choose the process sandbox (sandbox: process)"
            )
        }
        let tools = [("unshare", "util-linux"), ("mount", "mount"), ("umount", "mount")]
        for (name, package) in tools where SystemFiles.program(name) == nil {
            throw SandboxError(.unavailable, "containers need the program \(name): apt-get install \(package)")
        }
        let runtimes = families.compactMap { family -> ContainerRuntime? in
            // runc wants to make the groups itself, which version 2 does not allow below the group that it is in.
            guard let program = SystemFiles.program(family.rawValue), family == .crun || mounts.version == .v1 else {
                return nil
            }
            return ContainerRuntime(
                family: family, program: program, hiddenHierarchy: family == .crun ? mounts.unifiedBesideV1 : nil,
                overlayOptions: []
            )
        }
        guard !runtimes.isEmpty else {
            throw SandboxError(
                .unavailable,
                "no container runtime is installed: apt-get install crun, or choose the process sandbox (sandbox: process)"
            )
        }
        return runtimes.flatMap { runtime in
            [
                ContainerRuntime(
                    family: runtime.family, program: runtime.program, hiddenHierarchy: runtime.hiddenHierarchy,
                    overlayOptions: ["volatile"]
                ), runtime,
            ]
        }
    }

    /// Shell commands that mount the root file system, and become the runtime of the container.
    ///
    /// They are run in a mount namespace of their own, so that the mount is gone with the last process, however that ends.
    func commands(_ places: ContainerPlaces, lower: FilePath, name: String, state: FilePath, input: FilePath?) -> String
    {
        var text = SandboxRun.prologue(failureFile: places.failure)
        if let hiddenHierarchy {
            text +=
                "umount -l \(ShellText.quoted(hiddenHierarchy.string)) || fail 'control groups could not be hidden'\n"
        }
        let layers = ["lowerdir=\(lower)", "upperdir=\(places.upper)", "workdir=\(places.work)"]
        let options = (["nodev", "nosuid"] + overlayOptions + layers).joined(separator: ",")
        text += "mount -t overlay -o \(ShellText.quoted(options)) overlay \(ShellText.quoted(places.root.string)) "
        text += "|| fail 'the root file system could not be mounted'\nulimit -c 0\n"
        var words = [program.string]
        if family == .crun { words.append("--cgroup-manager=disabled") }
        words += ["--root", state.string, "--log", places.log.string, "run", "--bundle", places.bundle.string, name]
        text += "exec \(words.map(ShellText.quoted).joined(separator: " "))"
        return text + " < \(ShellText.quoted(input?.string ?? "/dev/null"))\n"
    }

    /// Why the runtime could not start the container, from its log; `nil` where it did.
    func failure(in log: FilePath) -> String? {
        guard let text = SystemFiles.text(log) else { return nil }
        let lines = text.split(separator: "\n").filter { line in
            switch family {
            case .crun: true
            case .runc: line.contains("level=error") || line.contains("level=fatal")
            }
        }
        return lines.last.map { String($0.suffix(500)) }
    }
}

/// The files and directories of one container.
struct ContainerPlaces: Sendable {
    let directory: FilePath
    var bundle: FilePath { directory.appending("bundle") }
    var root: FilePath { directory.appending("root") }
    var upper: FilePath { directory.appending("upper") }
    var work: FilePath { directory.appending("overlay") }
    var temporary: FilePath { directory.appending("tmp") }
    var log: FilePath { directory.appending("runtime.log") }
    var failure: FilePath { directory.appending("start-failed") }

    /// - Throws: `Errno`; `.invalidArgument` where the path cannot be an option of a mount.
    func make(configuration: [UInt8]) throws {
        guard Self.isMountable(directory) else { throw Errno.invalidArgument }
        for path in [bundle, root, upper, work] { try SystemFiles.makeDirectory(path) }
        try SystemFiles.makeDirectory(temporary)
        try SystemFiles.changeMode(temporary, 0o1777)
        try Self.write(configuration, to: bundle.appending("config.json"))
        // What the runtime says there tells its failures from the script's. The line takes a block of the disk, so that
        // there is room for it also where the disk is full by then.
        try Self.write(Array("\n".utf8), to: log)
    }

    private static func write(_ bytes: [UInt8], to path: FilePath) throws {
        let file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .truncate], permissions: FilePermissions(rawValue: 0o600))
        _ = try file.closeAfter { try file.writeAll(bytes) }
    }

    /// Commas and colons divide the options of an overlay mount.
    static func isMountable(_ path: FilePath) -> Bool { !path.string.contains { ",:\\".contains($0) } }
}
