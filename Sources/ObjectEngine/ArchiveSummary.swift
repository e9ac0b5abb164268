/// What an export wrote or an import took in.
package struct ArchiveSummary: Sendable, Equatable {
    package var buckets = 0
    package var objects = 0
    /// Earlier versions, and delete markers.
    package var versions = 0
    /// Of objects and earlier versions.
    package var bytes: Int64 = 0
    /// What was left out: an export leaves out objects whose content is missing, an import members that cannot be objects.
    package var skipped = 0
}
