package import SystemPackage

/// A step of the store towards the disk: a system call that changes or reads it, or a transaction of the index.
package enum FileSystemStep: Sendable, Hashable {
    case create(path: String)
    case open(path: String)
    case read(path: String)
    /// `count`: how many bytes.
    case write(path: String, count: Int)
    case synchronize(path: String)
    case synchronizeDirectory(path: String)
    case link(path: String, newPath: String)
    case rename(path: String, newPath: String)
    case remove(path: String)
    case makeDirectory(path: String)
    /// Before a transaction of the index.
    case beginTransaction
    /// After its commit, before anybody is told.
    case endTransaction
}

/// What stands between the store and the operating system while its faults are tested.
///
/// The calls themselves are always the real ones; a probe sees each before and after it happens, can let it fail or
/// make it short. Called from many threads.
package protocol FileSystemProbe: Sendable {
    /// Called before the step.
    ///
    /// - Returns: how many bytes a write may write at most, 1 or more; `nil` for all. Ignored for other steps.
    /// - Throws: the error that the step is to fail with; it does not happen then.
    func willDo(_ step: FileSystemStep) throws(Errno) -> Int?

    /// Called after the step has succeeded.
    func didDo(_ step: FileSystemStep)
}
