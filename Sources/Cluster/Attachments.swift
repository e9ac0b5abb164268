import Logging
import Model
import Sandboxes
import ServiceLifecycle
import SystemPackage

/// What services have beside their own files: a volume, a bucket that they mount.
///
/// In containers both are where the definition says; processes share the machine's files, and are told in `VOLUME_PATH` and
/// `MOUNT_PATH`, which containers have, too.
package struct Attachments: Sendable {
    private let volumes: VolumeDesk?
    private let mounts: BucketMounts?

    /// Where there are neither.
    package static let none = Attachments(volumes: nil, mounts: nil)

    package init(volumes: VolumeDesk?, mounts: BucketMounts?) { (self.volumes, self.mounts) = (volumes, mounts) }

    /// Directories, and the variables that speak of them.
    struct Places: Sendable {
        var binds: [SandboxBind] = []
        var environment: [String: String] = [:]

        fileprivate mutating func add(_ variable: String, _ bind: SandboxBind, _ sandbox: SandboxKind) {
            binds.append(bind)
            environment[variable] = sandbox == .container ? bind.inside : bind.outside.string
        }
    }

    /// Makes all ready for an invocation, or an instance.
    ///
    /// Whoever has got an answer calls `release` in the end.
    ///
    /// - Throws: `JobFailure` where the volume is gone or too full, the bucket is gone, or too much is in it.
    func acquire(_ service: RegisteredService) async throws -> Places {
        var places = Places()
        guard service.hasAttachments else { return places }
        if let volume = service.definition.volume, let outside = try volumes?.place(for: service) {
            let bind = SandboxBind(inside: volume.mountPath, outside: outside, isWritable: true)
            places.add("VOLUME_PATH", bind, service.sandbox)
        }
        if let mount = service.definition.mount, let outside = try await mounts?.acquire(service) {
            let bind = SandboxBind(
                inside: "/mnt/\(mount.path)", outside: outside, isWritable: !mount.isReadOnly)
            places.add("MOUNT_PATH", bind, service.sandbox)
        }
        return places
    }

    /// An invocation has ended: what it has changed in the bucket that it mounts is put back.
    ///
    /// - Parameter principal: on whose behalf.
    /// - Throws: `JobFailure` where a file cannot be put back.
    func release(_ service: RegisteredService, principal: String) async throws {
        guard service.hasAttachments else { return }
        if service.definition.volume != nil { await volumes?.measure(service) }
        if service.definition.mount != nil { try await mounts?.release(service, principal: principal) }
    }

    /// A service is gone.
    func forget(_ service: ServiceName) async { await mounts?.forget(service) }
}

extension RegisteredService {
    /// Whether it has anything beside its own files.
    var hasAttachments: Bool { definition.volume != nil || definition.mount != nil }
}

extension StorageIO {
    /// Whether what is mounted cannot be written; the option is rclone's.
    package var isReadOnly: Bool { options.split(separator: " ").contains("--read-only") }
}

/// Looks at all volumes now and then, so that one is found too full also where a program writes to it all the time.
package struct VolumeWatch: Service {
    private let volumes: VolumeDesk
    private let interval: Duration

    package init(volumes: VolumeDesk, interval: Duration = .seconds(60)) {
        (self.volumes, self.interval) = (volumes, interval)
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            // Ends with the cancellation.
            repeat { await volumes.measureAll() } while (try? await Task.sleep(for: interval)) != nil
        }
    }
}
