import Model

/// What is known of a mounted bucket's copy on disk: which file is which object.
///
/// A pure value: the shell tells it what the bucket and the folder hold, and does what it answers.
struct MountLedger: Sendable {
    /// What tells one state of a file from another.
    struct FileState: Sendable, Hashable {
        let size: Int64
        /// Nanoseconds since 1970.
        let modified: Int64
    }

    struct Entry: Sendable, Hashable {
        let eTag: String
        let file: FileState
    }

    /// By the name relative to the mounted folder.
    private(set) var entries: [String: Entry] = [:]

    /// What has to be done so that the folder shows what the bucket holds.
    struct Refresh: Sendable, Hashable {
        /// Objects to bring in.
        var fetch: [String] = []
        /// Files of objects that are gone.
        var remove: [String] = []
    }

    /// - Parameters:
    ///   - objects: the ETags of all objects in the mounted folder, by relative name.
    ///   - files: all files that are there.
    func refresh(objects: [String: String], files: [String: FileState]) -> Refresh {
        var refresh = Refresh()
        for (name, eTag) in objects {
            let known = entries[name]
            let isChangedHere = files[name].map { known?.file != $0 } ?? false
            // What was changed here and not put back yet is not overwritten, nor is what never came from the bucket.
            if isChangedHere { continue }
            if known?.eTag != eTag || files[name] == nil { refresh.fetch.append(name) }
        }
        for (name, entry) in entries where objects[name] == nil && files[name] == entry.file {
            refresh.remove.append(name)
        }
        refresh.fetch.sort()
        refresh.remove.sort()
        return refresh
    }

    /// The files that differ from what came from the bucket, or are new.
    func changes(in files: [String: FileState]) -> [String] {
        files.filter { entries[$0.key]?.file != $0.value }.map(\.key).sorted()
    }

    /// A file holds what the object of that ETag holds.
    mutating func note(_ name: String, eTag: String, file: FileState) {
        entries[name] = Entry(eTag: eTag, file: file)
    }

    mutating func forget(_ name: String) { entries[name] = nil }
}
