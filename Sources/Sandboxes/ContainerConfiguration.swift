import Model
import SystemPackage

/// The OCI configuration of one container (runtime-spec 1.0.2, config.md).
struct ContainerConfiguration: Sendable {
    static let inputPath = "/tmp/apus-input"
    static let outputPath = "/tmp/apus-output"
    static let configPath = "/oscar/config"

    typealias Bind = (inside: String, outside: FilePath, isWritable: Bool)

    var rootFileSystem: FilePath
    var defaults: ImageDefaults
    var environment: [String: String]
    /// The process, from its path on.
    var arguments: [String]
    /// Bind mounts beside the usual ones: path inside, path outside, whether it can be written.
    var binds: [Bind]
    /// The network namespace to join; `nil` makes a new one, with loopback only.
    var network: FilePath?
    /// The runtime's own control group, relative to ours; `nil` where the runtime makes none.
    var groupPath: String?

    /// Process 1 of the container: a shell that waits for the script.
    ///
    /// The script is not process 1 itself, because the kernel keeps from process 1 every signal that it has no
    /// handler for.
    static func arguments(script: String) -> [String] {
        ["/bin/sh", "-c", "trap : TERM INT HUP\n/bin/sh \"$0\"; exit $?", script]
    }

    var json: JSONValue {
        var linux: [(String, JSONValue)] = [
            ("namespaces", .array(namespaces)), ("seccomp", SeccompProfile.json),
            ("maskedPaths", .strings(Self.maskedPaths)), ("readonlyPaths", .strings(Self.readOnlyPaths)),
        ]
        // Images listen on ports like 80, for which their programs have no capability; the network is their own.
        if Self.hasLowPorts { linux.append(("sysctl", .object(JSONObject([(Self.lowPorts, .string("0"))])))) }
        if let groupPath {
            linux.append(("cgroupsPath", .string(groupPath)))
            let noDevices = JSONObject([("allow", .bool(false)), ("access", .string("rwm"))])
            linux.append(("resources", .object(JSONObject([("devices", .array([.object(noDevices)]))]))))
        }
        return .object(
            JSONObject([
                ("ociVersion", .string("1.0.2")), ("process", process),
                (
                    "root",
                    .object(JSONObject([("path", .string(rootFileSystem.string)), ("readonly", .bool(false))]))
                ),
                ("hostname", .string("apus")), ("mounts", .array(mounts)), ("linux", .object(JSONObject(linux))),
            ])
        )
    }

    private static let lowPorts = "net.ipv4.ip_unprivileged_port_start"
    /// Whether the kernel can give all ports to programs without capabilities (Linux 4.11).
    private static let hasLowPorts = SystemFiles.exists("/proc/sys/net/ipv4/ip_unprivileged_port_start")

    private var process: JSONValue {
        let none = JSONValue.array([])
        let capabilities = ["bounding", "effective", "inheritable", "permitted", "ambient"].map { ($0, none) }
        let user = JSONObject([
            ("uid", .integer(defaults.userID)), ("gid", .integer(defaults.groupID)),
            ("additionalGids", .array(defaults.moreGroupIDs.map { .integer($0) })),
        ])
        return .object(
            JSONObject([
                ("terminal", .bool(false)), ("user", .object(user)), ("args", .strings(arguments)),
                ("env", .strings(environment.map { "\($0.key)=\($0.value)" }.sorted())),
                ("cwd", .string(defaults.workingDirectory)), ("capabilities", .object(JSONObject(capabilities))),
                ("noNewPrivileges", .bool(true)),
            ])
        )
    }

    private var namespaces: [JSONValue] {
        let new = ["pid", "ipc", "uts", "mount", "cgroup"].map { JSONValue.object(JSONObject([("type", .string($0))])) }
        var network: [(String, JSONValue)] = [("type", .string("network"))]
        if let path = self.network { network.append(("path", .string(path.string))) }
        return new + [.object(JSONObject(network))]
    }

    private var mounts: [JSONValue] {
        func mount(_ inside: String, _ type: String, _ source: String, _ options: [String]) -> JSONValue {
            .object(
                JSONObject([
                    ("destination", .string(inside)), ("type", .string(type)), ("source", .string(source)),
                    ("options", .strings(options)),
                ])
            )
        }
        let quiet = ["nosuid", "noexec", "nodev"]
        let usual = [
            mount("/proc", "proc", "proc", quiet),
            mount("/dev", "tmpfs", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
            mount("/dev/pts", "devpts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]),
            mount("/dev/shm", "tmpfs", "shm", quiet + ["mode=1777", "size=65536k"]),
            mount("/sys", "sysfs", "sysfs", quiet + ["ro"]),
        ]
        return usual
            + binds.map { bind in
                let options = ["rbind", "rprivate", "nosuid", "nodev", bind.isWritable ? "rw" : "ro"]
                return mount(bind.inside, "bind", bind.outside.string, options)
            }
    }

    /// What the common container engines hide and protect (moby, oci/defaults.go).
    private static let maskedPaths = [
        "/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats",
        "/proc/timer_list", "/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware",
        "/sys/devices/virtual/powercap",
    ]
    private static let readOnlyPaths = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
}
