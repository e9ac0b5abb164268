import Glibc
import Synchronization
import SystemPackage

/// Network namespaces with outbound access, kept for the next container.
///
/// Each is held by a waiting shell and served by a `slirp4netns` process, which turns what is sent into ordinary connections
/// of this machine: no address, route, firewall rule or setting of the machine is changed. Both end with Apus. The machine's
/// loopback addresses and the link-local ones, where clouds keep their credentials, cannot be reached.
final class ContainerNetworks: Sendable {
    /// A network that a container joins.
    struct Network: Sendable {
        let namespace: FilePath
        /// A `resolv.conf` for it.
        let nameServers: FilePath
        fileprivate let holder: ScriptProcess
        fileprivate let server: ScriptProcess
    }

    private let directory: FilePath
    private let scope: String
    private let slirp: FilePath
    private let free = Mutex(State())

    private struct State {
        var networks: [Network] = []
        var count = 0
        var isClosed = false
    }

    /// Networks for us, or why there are none, in a sentence.
    static func offer(
        wanted: SandboxNetwork,
        scope: String,
        directory: FilePath
    ) -> (networks: ContainerNetworks?, sentence: String) {
        guard wanted == .outbound else { return (nil, "Containers have no network but loopback, as configured.") }
        guard let slirp = SystemFiles.program("slirp4netns"), SystemFiles.program("ip") != nil else {
            return (
                nil,
                "Containers have no network but loopback: for outbound access, apt-get install slirp4netns iproute2 and start again."
            )
        }
        guard SystemFiles.exists("/dev/net/tun") else {
            return (nil, "Containers have no network but loopback: this machine has no /dev/net/tun.")
        }
        return (
            ContainerNetworks(scope: scope, slirp: slirp, directory: directory),
            "Containers have a network of their own with outbound access, through slirp4netns."
        )
    }

    private init(scope: String, slirp: FilePath, directory: FilePath) {
        self.scope = scope
        self.slirp = slirp
        self.directory = directory
    }

    /// A free network, or a new one.
    ///
    /// - Throws: `.startFailed` where none can be made; `.cancelled`.
    func take() async throws(SandboxError) -> Network {
        while let network = free.withLock({ $0.networks.popLast() }) {
            if !network.holder.hasEnded, !network.server.hasEnded { return network }
            await Self.end(network)
        }
        return try await make()
    }

    func giveBack(_ network: Network) {
        let isWelcome = free.withLock { state in
            if !state.isClosed { state.networks.append(network) }
            return !state.isClosed
        }
        // Nobody awaits this: the network is not used any more, and its processes end with Apus at the latest.
        if !isWelcome { Task { await Self.end(network) } }
    }

    /// Makes one ahead, where none is free.
    func refill() async {
        guard free.withLock({ $0.networks.isEmpty && !$0.isClosed }), let network = try? await make() else { return }
        giveBack(network)
    }

    func close() async {
        let networks = free.withLock { state in
            state.isClosed = true
            defer { state.networks = [] }
            return state.networks
        }
        for network in networks { await Self.end(network) }
        SystemFiles.removeTree(directory)
    }

    private static func end(_ network: Network) async {
        await network.server.dismiss()
        await network.holder.dismiss()
    }

    private func make() async throws(SandboxError) -> Network {
        let number = free.withLock { state in
            state.count += 1
            return state.count
        }
        let environment = [
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "\(MarkedProcesses.variable)=\(scope)/container/network",
        ]
        let (ready, resolver) = (directory.appending("\(number).ready"), directory.appending("\(number).resolv.conf"))
        let begun = directory.appending("\(number).begun")
        do {
            try SystemFiles.makeDirectory(directory, mode: 0o700)
            for file in [ready, begun] { SystemFiles.removeTree(file) }
        } catch {
            throw SandboxError(.startFailed, "\(directory) could not be made", cause: error)
        }
        let unshare = (SystemFiles.program("unshare") ?? "/usr/bin/unshare").string
        let holder = ScriptProcess(
            command: [unshare, "--net", "/bin/sh"], environment: environment, group: nil,
            // The name server is the one that slirp4netns offers; it asks those of the machine (slirp4netns(1)).
            prelude: "ip link set lo up; ip route replace blackhole 169.254.0.0/16\n"
                + "echo nameserver 10.0.2.3 > \(ShellText.quoted(resolver.string))\n: > \(ShellText.quoted(begun.string))\n"
        )
        guard await Self.appears(begun), let processID = holder.processID else {
            await holder.dismiss()
            throw SandboxError(.startFailed, "a network namespace for the container could not be made")
        }
        let options = "--configure --mtu=65520 --disable-host-loopback --enable-sandbox --enable-seccomp --ready-fd=3"
        let server = ScriptProcess(
            command: [unshare, "--mount", "--propagation", "private", "/bin/sh"], environment: environment, group: nil,
            prelude:
                "\(ShellText.quoted(slirp.string)) \(options) \(processID) tap0 3> \(ShellText.quoted(ready.string)) "
                + "> /dev/null 2>&1 < /dev/null &\nserver=$!\ntrap 'kill $server; wait $server' EXIT\n"
        )
        let network = Network(
            namespace: FilePath("/proc/\(processID)/ns/net"), nameServers: resolver, holder: holder, server: server
        )
        guard await Self.appears(ready, filled: true) else {
            await Self.end(network)
            throw SandboxError(
                .startFailed,
                "slirp4netns did not start within two seconds; run apus serve with network: none to do without"
            )
        }
        return network
    }

    /// Waits at most two seconds for the file.
    private static func appears(_ file: FilePath, filled: Bool = false) async -> Bool {
        for _ in 0..<1000 {
            if filled ? SystemFiles.bytes(file, limit: 1)?.isEmpty == false : SystemFiles.exists(file) { return true }
            await Pause.regardlessOfCancellation(.milliseconds(2))
        }
        return false
    }
}
