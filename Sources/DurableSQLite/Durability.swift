/// When a write counts as done.
package enum Durability: String, Sendable, CaseIterable {
    /// Once it is on the disk: what was answered with success survives a loss of power.
    case always
    /// Once the operating system has it: it survives the end of the process, and may be lost with the
    /// machine's power.
    case never
}
