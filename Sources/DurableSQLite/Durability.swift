/// When a write counts as done.
package enum Durability: String, Sendable, CaseIterable {
    /// Once it is on the disk: what was answered with success survives a loss of power.
    case always
    /// At once; the disk is asked to keep it in the background, `DurableDatabase.syncInterval` later at most.
    ///
    /// A loss of power may take the last writes with it, always the latest ones and each as a whole.
    case batch
    /// Once the operating system has it: it survives the end of the process, and may be lost with the
    /// machine's power.
    case never
}
