import DurableSQLite
import SystemPackage

/// Why the object store refused or failed.
package struct ObjectStoreError: Error, CustomStringConvertible {
    package enum Code: String, Sendable, CaseIterable {
        case noSuchBucket
        case bucketNotEmpty
        case noSuchKey
        case noSuchUpload
        /// A part that completes an upload is not there, or is another one than the caller thinks.
        case invalidPart
        /// The parts that complete an upload are not in ascending order, or one is named twice.
        case invalidPartOrder
        /// A part other than the last has less than 5 MiB.
        case entityTooSmall
        /// A part's number is not between 1 and 10,000.
        case invalidPartNumber
        /// A range lies outside of the object.
        case invalidRange
        /// The content is not what its checksum says.
        case checksumMismatch
        /// The content has not the size that the client says.
        case sizeMismatch
        /// The object is not in the state that the write asked for.
        case preconditionFailed
        /// The object was replaced or deleted between its look-up and this call; look it up again.
        case contentReplaced
        /// More bytes than the bucket, or all buckets of its owner, may hold; nothing was kept.
        case quotaExceeded
        /// The owner has as many buckets as may be.
        case tooManyBuckets
        /// The disk is full; nothing was kept.
        case storageFull
        /// A file of the store is missing, cut off or no database.
        case damaged
        /// The operating system refused to read or write.
        case io
        /// A local file to take in is not a regular file.
        case notAFile
        /// A newer version of the program made the store; it was left as it is.
        case newerVersion
        /// An older version of the program made the store, and it was opened for reading only.
        case olderVersion
        /// There is no store where one was to be opened.
        case noStore
        /// Another process does already what the caller was to do alone.
        case inUse
        /// An archive is none, or is cut off.
        case invalidArchive
        /// The store was closed before, or the caller's task was cancelled.
        case closed
        /// The caller used the interface wrongly: an error of this program.
        case misuse
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?

    package init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        guard let cause else { return message }
        return "\(message): \(cause)"
    }
}

extension ObjectStoreError {
    /// An error of the index, or one of our own that passed through it.
    init(index error: any Error) {
        if let known = error as? ObjectStoreError {
            self = known
            return
        }
        guard let database = error as? DurableSQLiteError else {
            self.init(.misuse, "the object store's index failed", cause: error)
            return
        }
        let code: Code =
            switch database.code {
            case .full: .storageFull
            case .newerVersion: .newerVersion
            case .olderVersion: .olderVersion
            case .corrupt: .damaged
            case .io, .busy: .io
            case .closed, .cancelled: .closed
            case .constraint, .misuse: .misuse
            }
        self.init(code, "the object store's index failed: \(database.message)", cause: database.cause)
    }

    /// A failed system call.
    ///
    /// - `action`: what failed, as in "cannot write the content".
    init(_ number: Errno, _ action: String) {
        switch number {
        case .noSpace, .diskQuotaExceeded:
            self.init(.storageFull, "\(action): the disk is full; make room and try again", cause: number)
        default:
            self.init(
                .io,
                "\(action): check the disk and the permissions of the data directory",
                cause: number
            )
        }
    }

    static func noSuchBucket(_ name: some CustomStringConvertible) -> ObjectStoreError {
        ObjectStoreError(.noSuchBucket, "the bucket \(name) does not exist; create it first")
    }

    static func noSuchUpload(_ id: String) -> ObjectStoreError {
        ObjectStoreError(
            .noSuchUpload,
            "the upload \(id.prefix(80)) does not exist: it was completed, aborted or never begun"
        )
    }
}
