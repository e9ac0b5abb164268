import Model
import StateStore
import SystemPackage

extension DataBackup {
    /// Jobs may end, and their files go, between the copy of the state and that of the files; then both are copied again.
    private static let attempts = 5
    private static let pageSize = 500

    /// Copies the state, and the files beside it that its jobs need.
    ///
    /// - Returns: the copy, open; `nil` where there is no state.
    func copyState(_ summary: inout Summary) async throws -> ClusterState? {
        let target = Self.newState(in: destination)
        try await Folder.offload {
            for suffix in ["", "-journal"] { try Folder.removeFile(FilePath(target.string + suffix)) }
        }
        guard let source, try await Folder.offload({ Folder.size(of: source.appending("state.sqlite")) > 0 }) else {
            return nil
        }
        let state = try await ClusterState.openReadOnly(at: source.appending("state.sqlite").string)
        do {
            let copy = try await copy(state, of: source, to: target, &summary)
            await state.close()
            return copy
        } catch {
            await state.close()
            throw error
        }
    }

    private func copy(
        _ state: ClusterState,
        of source: FilePath,
        to target: FilePath,
        _ summary: inout Summary
    ) async throws -> ClusterState {
        summary.hasState = true
        // Before the state: a job of it that ends meanwhile takes its files along.
        try await copyWaiting(of: state, from: source, &summary)
        var attempt = 1
        while true {
            try await Folder.offload {
                try Folder.removeFile(target)
                // Made here, so that nobody else can read it: it holds secrets of services.
                try Folder.writeFile(target, [])
            }
            try await state.copy(to: target.string)
            let copy = try await ClusterState.openReadOnly(at: target.string)
            do {
                try await copyWaiting(of: copy, from: source, &summary)
            } catch {
                await copy.close()
                throw error
            }
            if summary.missing == 0 || attempt == Self.attempts {
                try await Folder.offload { try Folder.synchronize(target) }
                return copy
            }
            await copy.close()
            attempt += 1
        }
    }

    private func copyWaiting(
        of state: ClusterState,
        from source: FilePath,
        _ summary: inout Summary
    ) async throws {
        (summary.waiting, summary.missing) = (0, 0)
        var place: Int64 = 0
        while let page = try await nonEmpty(state.eventFiles(after: place, limit: Self.pageSize)) {
            try await copy(page, from: source, &summary)
            place = page.last?.place ?? place
        }
        place = 0
        while let page = try await nonEmpty(state.deliveryFiles(after: place, limit: Self.pageSize)) {
            try await copy(page, from: source, &summary)
            place = page.last?.place ?? place
        }
    }

    private func nonEmpty(_ page: [WaitingFile]) -> [WaitingFile]? { page.isEmpty ? nil : page }

    private func copy(_ page: [WaitingFile], from source: FilePath, _ summary: inout Summary) async throws {
        let outcomes = try await Folder.offload { [self] in
            var folders: Set<FilePath> = []
            let outcomes = try page.map { file in
                let path = Self.path(of: file)
                let target = destination.pushing(path)
                let folder = target.removingLastComponent()
                if folders.insert(folder).inserted { try Folder.make(folder) }
                return try Folder.preserve(source.pushing(path), as: target, copiesBytes: copiesBytes)
            }
            for folder in folders {
                try Folder.synchronize(folder)
                try Folder.synchronize(folder.removingLastComponent())
            }
            return outcomes
        }
        summary.missing += zip(page, outcomes).count { $0.isRequired && $1 == .missing }
        summary.waiting += outcomes.count { $0 != .missing }
    }

    /// Relative to the data directory.
    private static func path(of file: WaitingFile) -> FilePath {
        guard let result = file.result else { return FilePath("events").appending(file.job.text) }
        return FilePath("deliveries").appending(file.job.text).appending(result)
    }

    /// Removes files that no job needs any more, as a start would.
    func pruneWaiting(by state: ClusterState?) async throws {
        for folder in ["events", "deliveries"].map({ destination.appending($0) }) {
            for entry in try await Folder.offload({ try Folder.entries(folder) }) {
                if let state, let name = try? JobName(entry.name), let job = try await state.job(named: name),
                    job.finished == nil || (!entry.isFolder && job.state != .succeeded)
                {
                    continue
                }
                try await Folder.offload {
                    if entry.isFolder { try Folder.remove(entry.path) } else { try Folder.removeFile(entry.path) }
                }
            }
        }
    }
}
