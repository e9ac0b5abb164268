import ObjectEngine
import Testing

/// What a store should hold: for each key its versions, newest first.
struct VersionModel {
    struct Version: Equatable {
        var id: VersionID
        /// `nil` for a delete marker.
        var bytes: [UInt8]?
    }

    var versioning = Versioning.off
    private(set) var versions: [[UInt8]: [Version]] = [:]

    func latest(of key: [UInt8]) -> [UInt8]? { versions[key]?.first?.bytes }

    mutating func put(_ bytes: [UInt8]?, as key: [UInt8], id: VersionID?) {
        var all = versions[key] ?? []
        switch versioning {
        case .off:
            #expect(id == nil)
            all = []
        case .enabled:
            #expect(id != nil && id != .null && !all.contains { $0.id == id })
        case .suspended:
            #expect(id == .null)
            all.removeAll { $0.id == .null }
        }
        all.insert(Version(id: id ?? .null, bytes: bytes), at: 0)
        versions[key] = all
    }

    mutating func delete(_ key: [UInt8], marker: VersionID?) {
        guard versioning != .off else {
            versions[key] = nil
            return
        }
        put(nil, as: key, id: marker)
    }

    /// - Returns: the version, if there was one.
    mutating func delete(_ key: [UInt8], version: VersionID) -> Version? {
        guard let index = versions[key]?.firstIndex(where: { $0.id == version }) else { return nil }
        let version = versions[key]?.remove(at: index)
        if versions[key]?.isEmpty == true { versions[key] = nil }
        return version
    }

    var sortedKeys: [[UInt8]] { versions.keys.sorted { $0.lexicographicallyPrecedes($1) } }
    var contentCount: Int { versions.values.joined().count { $0.bytes != nil } }
    var objectCount: Int { versions.values.count { $0.first?.bytes != nil } }
    var size: Int { versions.values.joined().reduce(0) { $0 + ($1.bytes?.count ?? 0) } }
}
