import DurableSQLite
import Model
import NIOPosix
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The files that hold content, and the threads that work on them.
///
/// Layout below the store's directory: `staging/<id>` is content on its way in, `content/<last two
/// digits>/<id>` content in its place. Content in its place never changes. While it waits for the index to
/// know it, it has both names, so that a start after a crash finds in `staging` exactly what may have to be
/// removed.
final class ContentFiles: Sendable {
    let durability: Durability
    let directory: String
    let calls: FileSystemCalls
    private let threads: NIOThreadPool

    /// - `threadCount`: so many files can wait for the disk at once.
    init(
        directory: String,
        durability: Durability,
        calls: FileSystemCalls = .real,
        threadCount: Int = 16
    ) {
        self.directory = directory
        self.durability = durability
        self.calls = calls
        threads = NIOThreadPool(numberOfThreads: threadCount)
        threads.start()
    }

    deinit { threads.shutdownGracefully { _ in } }

    func stagingPath(_ id: ContentID) -> String { "\(directory)/staging/\(id.text)" }
    func contentPath(_ id: ContentID) -> String { "\(directory)/content/\(id.folder)/\(id.text)" }

    /// Runs blocking work on a thread of the store.
    ///
    /// - Throws: what `body` throws; `closed`.
    func run<T: Sendable>(
        _ body: @escaping @Sendable () throws(ObjectStoreError) -> T
    ) async throws(ObjectStoreError) -> T {
        let result = await withCheckedContinuation {
            (continuation: CheckedContinuation<Result<T, ObjectStoreError>, Never>) in
            submit(body) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// Begins blocking work on a thread of the store, for somebody to wait for later.
    func begin<T: Sendable>(_ body: @escaping @Sendable () throws(ObjectStoreError) -> T) -> PendingWork<T> {
        let work = PendingWork<T>()
        submit(body) { work.end($0) }
        return work
    }

    private func submit<T: Sendable>(
        _ body: @escaping @Sendable () throws(ObjectStoreError) -> T,
        whenDone: @escaping @Sendable (Result<T, ObjectStoreError>) -> Void
    ) {
        threads.submit { state in
            guard state == .active else {
                return whenDone(.failure(ObjectStoreError(.closed, "the object store is closed")))
            }
            do throws(ObjectStoreError) { whenDone(.success(try body())) } catch { whenDone(.failure(error)) }
        }
    }

    /// Waits for the threads to end.
    ///
    /// The store must not be used afterwards.
    func close() async {
        // The only error is that the threads have ended already.
        try? await threads.shutdownGracefully()
    }

    /// Makes the directories that are missing.
    ///
    /// Blocks.
    func prepareDirectories() throws(ObjectStoreError) {
        do throws(Errno) {
            var isNew = try calls.makeDirectory("\(directory)/staging")
            if try calls.makeDirectory("\(directory)/content") { isNew = true }
            for folder in 0..<256 where try calls.makeDirectory(folderPath(folder)) {
                isNew = true
            }
            guard isNew, durability != .never else { return }
            try calls.synchronizeDirectory("\(directory)/content")
            try calls.synchronizeDirectory(directory)
        } catch {
            throw ObjectStoreError(error, "cannot make the object store's directories in \(directory)")
        }
    }

    /// One of the folders that content lies in; 0 to 255.
    func folderPath(_ folder: Int) -> String {
        "\(directory)/content/\(folder < 16 ? "0" : "")\(String(folder, radix: 16))"
    }

    /// The names in one of the folders that content lies in.
    ///
    /// Blocks.
    func contentNames(_ folder: Int) throws(ObjectStoreError) -> [String] {
        do throws(Errno) {
            return try calls.entries(of: folderPath(folder))
        } catch {
            // A backup of another program may leave empty folders out.
            guard error != .noSuchFileOrDirectory else { return [] }
            throw ObjectStoreError(error, "cannot read the directory \(folderPath(folder))")
        }
    }

    /// Whether content has a name in `staging`.
    ///
    /// Blocks.
    func isStaged(_ id: ContentID) throws(ObjectStoreError) -> Bool { try isThere(stagingPath(id)) }

    /// Whether content is in its place.
    ///
    /// Blocks.
    func isInPlace(_ id: ContentID) throws(ObjectStoreError) -> Bool { try isThere(contentPath(id)) }

    private func isThere(_ path: String) throws(ObjectStoreError) -> Bool {
        do throws(Errno) {
            return try calls.size(of: path) != nil
        } catch {
            throw ObjectStoreError(error, "cannot read \(path)")
        }
    }

    /// The names in `staging`.
    ///
    /// Blocks.
    func stagedNames() throws(ObjectStoreError) -> [String] {
        do throws(Errno) {
            return try calls.entries(of: "\(directory)/staging")
        } catch {
            throw ObjectStoreError(error, "cannot read the directory \(directory)/staging")
        }
    }

    /// Removes a name in `staging` that is none of ours.
    ///
    /// Blocks.
    func removeStagedName(_ name: String) throws(ObjectStoreError) {
        do throws(Errno) {
            try calls.remove("\(directory)/staging/\(name)")
        } catch {
            throw ObjectStoreError(error, "cannot remove \(directory)/staging/\(name)")
        }
    }

    /// Takes the lock that keeps others from removing content, for a removal.
    ///
    /// Blocks, but not on the lock.
    ///
    /// - Returns: what holds the lock as long as it lives; `nil` where a backup or an export goes on.
    func lockForRemoval() throws(ObjectStoreError) -> OpenFile? {
        do throws(Errno) {
            let file = try calls.open(lockPath, O_RDWR | O_CREAT)
            return try file.lock(isShared: false, waits: false) ? file : nil
        } catch {
            throw ObjectStoreError(error, "cannot lock \(lockPath)")
        }
    }

    /// Keeps content in place, also that which the store of another process would remove.
    ///
    /// Blocks until a removal that is under way has ended.
    ///
    /// - Returns: what keeps it as long as it lives.
    func lockAgainstRemoval() throws(ObjectStoreError) -> OpenFile {
        do throws(Errno) {
            let file = try calls.open(lockPath, O_RDWR | O_CREAT)
            _ = try file.lock(isShared: true, waits: true)
            return file
        } catch {
            throw ObjectStoreError(error, "cannot lock \(lockPath)")
        }
    }

    /// Whether a backup or an export wants to find everything in place.
    ///
    /// Blocks, but not on the lock.
    func isHeldAgainstRemoval() throws(ObjectStoreError) -> Bool { try lockForRemoval() == nil }

    /// Asks for a little room that is given back when the disk is full, so that objects can still be deleted: a
    /// deletion writes to the index too.
    ///
    /// Where there is not room for all of it, takes what it gets: a part is enough for many a deletion.
    ///
    /// Blocks.
    ///
    /// - Returns: whether all of it is there now.
    func holdReserve() -> Bool {
        do throws(Errno) {
            let held = try calls.size(of: reservePath) ?? 0
            if held >= Self.reserveSize { return true }
            let file = try calls.open(reservePath, O_RDWR | O_CREAT)
            var size = Self.reserveSize
            while size > max(held, Self.smallestReserve) {
                if Self.has(file, size) { return size == Self.reserveSize }
                size /= 2
            }
            // Less than that is of no use to a deletion, but may be to others.
            if held == 0 { releaseReserve() }
            return false
        } catch {
            return false
        }
    }

    private static func has(_ file: OpenFile, _ size: Int64) -> Bool {
        do throws(Errno) {
            try file.reserve(size)
            return true
        } catch {
            return false
        }
    }

    /// Gives the reserve's room back.
    ///
    /// Blocks.
    ///
    /// - Returns: whether there was any.
    @discardableResult
    func releaseReserve() -> Bool {
        do throws(Errno) {
            guard try calls.size(of: reservePath) != nil else { return false }
            try calls.remove(reservePath)
            return true
        } catch {
            return false
        }
    }

    /// In bytes: enough for a deletion of 1,000 objects that lie far apart in the index.
    private static let reserveSize: Int64 = 8 << 20
    /// In bytes: less does not pay.
    private static let smallestReserve: Int64 = 128 << 10

    private var lockPath: String { "\(directory)/content.lock" }
    private var reservePath: String { "\(directory)/reserve" }

    /// Puts a staged file in its place, durably, leaving the staged name too.
    ///
    /// Blocks.
    func settle(_ id: ContentID, file: OpenFile?) throws(ObjectStoreError) {
        do throws(Errno) {
            try calls.link(stagingPath(id), contentPath(id))
            guard durability != .never else { return }
            // Linked first: the file's own sync then carries the new name too on journalling file systems,
            // and the directory's sync costs next to nothing.
            try file?.synchronize()
            try calls.synchronizeDirectory("\(directory)/content/\(id.folder)")
        } catch {
            throw ObjectStoreError(error, "cannot store the content")
        }
    }

    /// Removes the staged name of content that the index knows by now, some time soon.
    func forgetStaged(_ ids: [ContentID]) {
        let paths = ids.map(stagingPath)
        // A name that stays behind is removed at the next start.
        threads.submit { [calls] _ in for path in paths { try? calls.remove(path) } }
    }

    /// Removes content that the index does not know, some time soon.
    func discard(_ id: ContentID, open file: OpenFile? = nil) {
        let paths = [contentPath(id), stagingPath(id)]
        // The staged name goes last: whatever stays behind is removed at the next start. The file is closed
        // here since its last close frees its blocks, which may take a while.
        threads.submit { [calls] _ in withExtendedLifetime(file) { for path in paths { try? calls.remove(path) } } }
    }

    /// Removes content from its place; its staged name, if any, stays.
    ///
    /// Blocks.
    func remove(_ id: ContentID) throws(ObjectStoreError) {
        do throws(Errno) {
            try calls.remove(contentPath(id))
        } catch {
            throw ObjectStoreError(error, "cannot remove the content \(id)")
        }
    }

    /// Opens content for reading; `nil` where it is no longer there.
    ///
    /// Blocks.
    func open(_ id: ContentID) throws(ObjectStoreError) -> OpenFile? {
        do throws(Errno) {
            return try calls.open(contentPath(id), O_RDONLY)
        } catch {
            guard error != .noSuchFileOrDirectory else { return nil }
            throw ObjectStoreError(error, "cannot open the content \(id)")
        }
    }
}
