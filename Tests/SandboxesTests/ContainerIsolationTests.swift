import Foundation
import Model
import Sandboxes
import SystemPackage
import Testing

/// What a container keeps apart, beyond the contract of all sandboxes.
@Suite(
    .enabled("containers work on this machine (see what the contract's tests print)") {
        await ContainerFixture.reasonAgainst == nil
    },
    .timeLimit(.minutes(5))
)
struct ContainerIsolationTests {
    @Test func writesStayPrivate() async throws {
        try await Subject.container.with { bench in
            let script =
                "cat /bin/new /etc/passwd | grep -c gone; echo gone > /bin/new; echo gone >> /etc/passwd; rm -r /home"
            for _ in 0..<2 {
                let result = try await bench.run(script)
                #expect(result.text == "0\n", "\(result.errorText)")
                #expect(result.ending == .exited(0))
            }
        }
    }

    @Test func filesOfTheMachineAreInvisible() async throws {
        try await Subject.container.with { bench in
            let secret = bench.scratch.path.appending("secret")
            try bench.write(Array("secret".utf8), secret)
            let result = try await bench.run(
                "cat '\(secret)'; ls /sys/fs/cgroup /var /usr; cat /proc/1/root'\(secret)'; ls /dev | tr '\\n' ' '"
            )
            #expect(!result.text.contains("secret"))
            #expect(!result.text.contains("vda") && !result.text.contains("sda") && !result.text.contains("kvm"))
        }
    }

    @Test func processesOfTheMachineAreInvisible() async throws {
        try await Subject.container.with { bench in
            let result = try await bench.run("ls -d /proc/[0-9]* | wc -l; echo $$; hostname")
            let lines = result.text.split(separator: "\n")
            #expect(lines.count == 3)
            #expect(Int(lines[0].trimmingCharacters(in: .whitespaces)) ?? 99 <= 5)
            #expect(Int(lines[1]) ?? 99 <= 5)
            #expect(lines[2] == "apus")
        }
    }

    @Test func noPrivileges() async throws {
        try await Subject.container.with { bench in
            let script = """
                grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status | tr '\\t' ' '
                mount -t tmpfs none /mnt || echo no mount; unshare -U true || echo no unshare
                mknod /dev/x b 1 1 || echo no mknod; echo 1 > /proc/sys/kernel/sysrq || echo no sysctl
                hostname other || echo no hostname; chmod 4755 /bin/busybox; kill -0 -1; head -c 1 /proc/kcore | wc -c
                """
            let result = try await bench.run(script)
            for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
                #expect(result.text.contains("\(set): 0000000000000000\n"), "\(result.text)")
            }
            #expect(result.text.contains("NoNewPrivs: 1\n"))
            #expect(result.text.contains("Seccomp: 2\n"))
            for refusal in ["mount", "unshare", "mknod", "sysctl", "hostname"] {
                #expect(result.text.contains("no \(refusal)\n"), "\(result.text)\(result.errorText)")
            }
            #expect(result.text.hasSuffix("\n0\n"))
        }
    }

    @Test func configurationIsReadOnly() async throws {
        try await Subject.container.with { bench in
            var invocation = try bench.invocation(
                "cat /oscar/config/function_config.yaml; echo x > /oscar/config/script.sh || echo refused; "
                    + "mount | grep -c ' /oscar/config .*ro,'"
            )
            invocation.environment = ["A": "1"]
            let result = try await bench.run(invocation)
            #expect(result.text == "name: test\nrefused\n1\n", "\(result.errorText)")
        }
    }

    @Test func pathsAreThoseOfTheContainer() async throws {
        try await Subject.container.with { bench in
            let result = try await bench.run(
                "echo $TMP_INPUT_DIR $TMP_OUTPUT_DIR $INPUT_FILE_PATH $HOME $TMPDIR $0; pwd; stat -c %a /tmp; test -w /dev/shm && echo shm",
                inputs: ["i.txt": [1]]
            ) { $0.inputFileName = "i.txt" }
            #expect(
                result.text == """
                    /tmp/apus-input /tmp/apus-output /tmp/apus-input/i.txt /root /tmp /oscar/config/script.sh
                    /
                    1777
                    shm

                    """
            )
        }
    }

    @Test func networkNone() async throws {
        try await Subject.container.with(network: .none) { bench in
            #expect(bench.sandbox.capabilities.network == .none)
            let result = try await bench.run("ls /sys/class/net; ip route | wc -l; ip addr show lo | grep -c 127.0.0.1")
            #expect(result.text == "lo\n0\n1\n", "\(result.errorText)")
        }
    }

    @Test func networkOutbound() async throws {
        try await Subject.container.with(network: .outbound) { bench in
            let capabilities = bench.sandbox.capabilities
            #expect(capabilities.sentences.contains { $0.contains("network") })
            guard capabilities.network == .outbound else { return }
            let port = Int.random(in: 20_000...30_000)
            let server = Task {
                try await shell("exec /bin/busybox nc -ll -p \(port) -e /bin/echo hello 2> /dev/null")
            }
            defer { server.cancel() }
            let words = "ip -4 -o addr show scope global | head -n 1 | tr -s ' ' | cut -d ' ' -f 4 | cut -d / -f 1"
            let address = try await shell(words).trimmingCharacters(in: .whitespacesAndNewlines)
            let script = """
                for try in 1 2 3 4 5 6 7 8 9 10; do nc -w 2 \(address) \(port) < /dev/null && break; sleep 0.2; done
                nc -w 1 10.0.2.2 \(port) < /dev/null || echo no loopback
                nc -w 1 169.254.169.254 80 < /dev/null || echo no metadata
                cat /etc/resolv.conf; ls /sys/class/net | tr '\\n' ' '
                """
            for _ in 0..<2 {
                let result = try await bench.run(script)
                #expect(
                    result.text == "hello\nno loopback\nno metadata\nnameserver 10.0.2.3\nlo tap0 ",
                    "\(result.errorText)"
                )
            }
        }
    }

    @Test func processLimit() async throws {
        let scratch = try Scratch()
        let images = try await ImageStore.open(at: scratch.path.appending("images"))
        try await images.add(
            ContainerFixture.image, from: .file(try await ContainerFixture.rootFileSystemArchive(in: scratch)))
        let settings = ContainerSandbox.Settings(dataDirectory: scratch.path, network: .none, processLimit: 30)
        let sandbox = try await ContainerSandbox.open(settings, images: images)
        let bench = Workbench(sandbox: sandbox, image: ContainerFixture.image, scratch: scratch)
        let result = try await bench.run("i=0; while [ $i -lt 60 ]; do sleep 100 & i=$((i+1)); done; echo all")
        #expect(!result.text.contains("all"))
        #expect(result.errorText.contains("fork"))
        await sandbox.shutDown()
    }

    @Test func imageWithoutShell() async throws {
        try await Subject.container.with { bench in
            let root = try bench.scratch.directory("empty")
            try bench.write([1], root.appending("file"))
            let archive = bench.scratch.path.appending("empty.tar")
            try await shell("tar -cf '\(archive)' -C '\(root)' .")
            let sandbox = try #require(bench.sandbox as? ContainerSandbox)
            try await sandbox.images.add("test/empty", from: .file(archive))
            let error = await #expect(throws: SandboxError.self) {
                _ = try await bench.run("true") { $0.image = "test/empty" }
            }
            #expect(error?.code == .startFailed)
            #expect(error?.message.contains("/bin/sh") == true)
        }
    }

    @Test func unknownImages() async throws {
        try await Subject.container.with { bench in
            for (image, code) in [("", SandboxError.Code.invalid), ("Bad Name", .invalid)] {
                let error = await #expect(throws: SandboxError.self) {
                    _ = try await bench.run("true") { $0.image = image }
                }
                #expect(error?.code == code)
                let checked = await #expect(throws: SandboxError.self) {
                    try await bench.sandbox.check(SandboxRequirements(image: image))
                }
                #expect(checked?.code == code)
            }
            try await bench.sandbox.check(SandboxRequirements(image: ContainerFixture.image))
            // Nobody listens there.
            let error = await #expect(throws: SandboxError.self) {
                try await bench.sandbox.prepare(image: "127.0.0.1:1/none/such:1") { _ in }
            }
            #expect(error?.code == .imageMissing)
            #expect(error?.message.contains("apus image add 127.0.0.1:1/none/such:1 FILE") == true)
        }
    }

    @Test func removesWhatAKilledApusLeft() async throws {
        let seconds = unusualSeconds()
        try await Subject.container.with { bench in
            let task = Task { [invocation = try bench.invocation("sleep \(seconds)"), sandbox = bench.sandbox] in
                try await sandbox.run(invocation) { _ in }
            }
            #expect(await eventually { !processes(with: seconds).isEmpty })
            // A second sandbox on the same data directory, as after a restart.
            let settings = ContainerSandbox.Settings(dataDirectory: bench.scratch.path, network: .none)
            let images = try await ImageStore.open(at: bench.scratch.path.appending("images"))
            let next = try await ContainerSandbox.open(settings, images: images)
            await next.removeLeftovers()
            #expect(processes(with: seconds) == [])
            #expect(try await task.value.ending == .signalled(9))
            let mounts = try String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)
            #expect(!mounts.contains(bench.scratch.path.string))
            #expect(!FileManager.default.fileExists(atPath: bench.scratch.path.string + "/runtime"))
            await next.shutDown()
        }
    }
}
