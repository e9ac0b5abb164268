import Glibc
import Synchronization
import SystemPackage

/// The place below which this Apus makes control groups: one directory for each hierarchy that it uses.
///
/// Version 1 has a hierarchy for each controller (kernel documentation, admin-guide/cgroup-v1); version 2 has one
/// (admin-guide/cgroup-v2). Hybrid machines, which have both, are used through version 1.
final class ControlGroups: Sendable {
    enum Version: Sendable { case v1, v2 }

    /// The controllers of version 1 that are used; the first three limit, the last one measures.
    static let controllers = ["memory", "pids", "cpu", "cpuacct"]

    let version: Version
    /// Our directories by controller; in version 2 one, under the empty name.
    let roots: [String: FilePath]
    private let count = Atomic<Int>(0)

    /// - Parameters:
    ///   - mounts: where the hierarchies are, found by `ControlGroupMounts`.
    ///   - name: the name of our directory, the same at every start on a data directory.
    /// - Throws: `Errno` where the directories cannot be made: no right to, or a read-only mount.
    init(_ mounts: ControlGroupMounts, name: String) throws(Errno) {
        version = mounts.version
        if version == .v2, let parent = mounts.parents[""] {
            // Often on already; where it may not be changed, the line below says so.
            try? SystemFiles.put("+cpu +memory +pids", into: parent.appending("cgroup.subtree_control"))
        }
        var roots: [String: FilePath] = [:]
        for (controller, parent) in mounts.parents {
            let root = parent.appending(name)
            try SystemFiles.makeDirectory(root)
            roots[controller] = root
        }
        self.roots = roots
        if version == .v2, let root = roots[""] {
            // The controllers must be switched on from above; "+cpu" and its like fail where the parent lacks them.
            try SystemFiles.put("+cpu +memory +pids", into: root.appending("cgroup.subtree_control"))
        }
    }

    /// A new, empty group without limits.
    func makeGroup() throws(Errno) -> ControlGroup {
        let name = "g\(getpid())-\(count.add(1, ordering: .relaxed).newValue)"
        var paths: [String: FilePath] = [:]
        for (controller, root) in roots {
            let path = root.appending(name)
            guard path.withPlatformString({ mkdir($0, 0o755) }) == 0 else {
                let error = Errno(rawValue: errno)
                for made in paths.values { _ = made.withPlatformString { rmdir($0) } }
                throw error
            }
            paths[controller] = path
        }
        return ControlGroup(name: name, version: version, paths: paths)
    }

    /// Ends every process of the groups that are left, and removes the groups.
    func removeAll() async {
        for root in roots.values { await Self.remove(childrenOf: root, version: version) }
    }

    /// Removes our own directories; they are made again at the next start.
    func removeRoots() async {
        await removeAll()
        for root in roots.values { _ = root.withPlatformString { rmdir($0) } }
    }

    private static func remove(childrenOf directory: FilePath, version: Version) async {
        let key = version == .v2 ? "" : "any"
        for name in SystemFiles.names(in: directory) where SystemFiles.isDirectory(directory.appending(name)) {
            await ControlGroup(name: name, version: version, paths: [key: directory.appending(name)]).remove()
        }
    }
}

/// Where control groups can be made on this machine.
struct ControlGroupMounts: Sendable {
    let version: ControlGroups.Version
    /// By controller of version 1, or one directory under the empty name.
    let parents: [String: FilePath]
    /// Where the version 2 hierarchy of a hybrid machine is mounted.
    let unifiedBesideV1: FilePath?

    /// - Parameters:
    ///   - mountTable: the text of `/proc/self/mountinfo`.
    ///   - membership: the text of `/proc/self/cgroup`.
    init?(mountTable: String, membership: String) {
        var v1: [String: FilePath] = [:]
        var v2: FilePath?
        let own = Self.ownGroups(membership)
        for line in mountTable.split(separator: "\n") {
            // proc(5): id parent device root mount-point options ... - type source super-options
            let words = line.split(separator: " ").map(String.init)
            guard let dash = words.firstIndex(of: "-"), words.count > dash + 3, dash > 5 else { continue }
            let mountPoint = FilePath(Self.unescaped(words[4]))
            if words[dash + 1] == "cgroup2" { v2 = v2 ?? mountPoint }
            guard words[dash + 1] == "cgroup" else { continue }
            let options = words[dash + 3].split(separator: ",").map(String.init)
            for controller in ControlGroups.controllers where options.contains(controller) {
                v1[controller] = Self.ownDirectory(own[controller], root: words[3], mountPoint: mountPoint)
            }
        }
        let needed = ControlGroups.controllers.prefix(3)
        if needed.allSatisfy({ v1[$0] != nil }) {
            (version, parents, unifiedBesideV1) = (.v1, v1, v2)
        } else if let v2 {
            (version, parents, unifiedBesideV1) = (.v2, ["": v2], nil)
        } else {
            return nil
        }
    }

    /// What this machine offers, or `nil`.
    static func current() -> ControlGroupMounts? {
        guard let table = SystemFiles.text("/proc/self/mountinfo"), let groups = SystemFiles.text("/proc/self/cgroup")
        else { return nil }
        return ControlGroupMounts(mountTable: table, membership: groups)
    }

    /// Controller to path, of lines such as `4:cpu,cpuacct:/system.slice`.
    private static func ownGroups(_ text: String) -> [String: String] {
        var groups: [String: String] = [:]
        for line in text.split(separator: "\n") {
            let fields = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard fields.count == 3 else { continue }
            for controller in fields[1].split(separator: ",") { groups[String(controller)] = String(fields[2]) }
        }
        return groups
    }

    /// Below our own group, so that limits set on Apus hold for what it runs; the mount point where that is not visible.
    private static func ownDirectory(_ group: String?, root: String, mountPoint: FilePath) -> FilePath {
        guard var group, group != "/" else { return mountPoint }
        if root != "/" {
            guard group.hasPrefix(root) else { return mountPoint }
            group = String(group.dropFirst(root.count))
        }
        let path = mountPoint.pushing(FilePath(String(group.drop { $0 == "/" })))
        return SystemFiles.isDirectory(path) ? path : mountPoint
    }

    /// Space, tab, newline and backslash are octal escapes in this table (proc(5)).
    private static func unescaped(_ text: String) -> String {
        text.replacing("\\040", with: " ").replacing("\\011", with: "\t").replacing("\\134", with: "\\")
    }
}
