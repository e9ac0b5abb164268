package import Model
package import Scheduling
import Synchronization
package import SystemPackage

/// The time zones of this machine, from the compiled IANA database of the system; each is read once.
package final class TimeZones: Sendable {
    /// Where systems keep it; the first that has the zone counts.
    package static let standardFolders: [FilePath] = [
        "/usr/share/zoneinfo", "/usr/lib/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo",
    ]

    private let folders: [FilePath]
    private let known = Mutex<[TimeZoneName: TimeZoneRules]>([.utc: .utc])

    package init(folders: [FilePath] = standardFolders) { self.folders = folders }

    /// - Throws: `ClusterError` with `invalid` that says what to do where the zone is not there or cannot be read.
    package func rules(of name: TimeZoneName) async throws(ClusterError) -> TimeZoneRules {
        if let rules = known.withLock({ $0[name] }) { return rules }
        for folder in folders {
            let path = folder.appending(name.text)
            // One that is no file, or that may not be read, is not there for us.
            guard let bytes = try? await Folder.offload({ try Folder.read(path, from: 0, atMost: 1 << 20) }) else {
                continue
            }
            guard let rules = TimeZoneRules(file: bytes) else {
                throw ClusterError(code: .invalid, message: "\(path) does not hold a time zone; install tzdata again")
            }
            known.withLock { $0[name] = rules }
            return rules
        }
        throw ClusterError(
            code: .invalid,
            message: "this machine does not know the time zone \"\(name)\": there is no "
                + "\(folders.first?.appending(name.text).string ?? name.text); install tzdata, or write UTC"
        )
    }

    /// Refuses schedules in zones that nobody here knows.
    func check(_ schedules: [ServiceSchedule]) async throws(ClusterError) {
        for (index, schedule) in schedules.enumerated() {
            do throws(ClusterError) { _ = try await rules(of: schedule.timeZone) } catch {
                throw ClusterError(code: error.code, message: "schedule[\(index)].time_zone: \(error.message)")
            }
        }
    }
}
