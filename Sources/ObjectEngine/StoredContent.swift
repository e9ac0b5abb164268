import Model
import NIOCore

/// Where an object's bytes are, as one look into the index tells.
enum StoredContent: Sendable {
    /// In the index itself; here they are.
    case bytes(ByteBuffer, check: UInt64)
    /// In one file; `check` is `nil` for files of stores that kept none.
    case file(check: UInt64?)
    /// In several files, which are asked for when they are needed.
    case pieces
}

/// An object and where its bytes are, both of one moment.
///
/// Where the content is small, it is in here, and nothing more is read.
package struct FoundObject: Sendable {
    package let record: ObjectRecord
    let content: StoredContent

    /// Whether the bytes are here already, so that reading them waits for nothing.
    package var isInMemory: Bool {
        if case .bytes = content { true } else { false }
    }
}

/// Content that is ready for the index to take over.
struct PlacedContent: Sendable {
    enum Place: Sendable {
        /// A file in its place.
        case file(check: UInt64)
        /// A file in its place that is another name of that one.
        case link(of: ContentID)
        /// Bytes that the index is to keep.
        case bytes(ByteBuffer, check: UInt64)
        /// What the index keeps under another name.
        case copy(of: ContentID)
    }

    /// Content up to this size, in bytes, is kept in the index.
    ///
    /// Measured on ext4 (4 KiB pages, commits shared by 16): up to here a write is 10 to 20 times as fast as with a
    /// file, and a read as fast; from 64 KiB on a file is read more than twice as fast.
    static let inlineLimit = 16 << 10
    /// Content above this size was never kept in the index by any version.
    static let inlineCeiling: Int64 = 64 << 10

    let id: ContentID
    let place: Place

    /// Whether there is a file that has to go where the index does not take it.
    var hasFile: Bool {
        switch place {
        case .file, .link: true
        case .bytes, .copy: false
        }
    }
}
