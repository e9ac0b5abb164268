package import GRDB

/// Why a database could not be opened, read or written.
package struct DurableSQLiteError: Error, CustomStringConvertible {
    package enum Code: String, Sendable {
        /// The disk, or the quota on it, is full; nothing of the write was kept.
        case full
        /// A newer version of the program made the database; it was left as it is.
        case newerVersion
        /// An older version of the program made the database, and it was opened for reading only.
        case olderVersion
        /// The file is not a database, or it is damaged.
        case corrupt
        /// The operating system refused to read, write or sync the file.
        case io
        /// Another process holds the database.
        case busy
        /// A row breaks a rule of the schema.
        case constraint
        /// The database was closed before.
        case closed
        /// The caller's task was cancelled while it waited for a read.
        case cancelled
        /// A statement is wrong: an error of this program.
        case misuse
    }

    package let code: Code
    package let message: String
    package let cause: (any Error)?

    package init(code: Code, message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    package var description: String {
        guard let cause else { return message }
        return "\(message): \(cause)"
    }
}

extension DurableSQLiteError {
    /// What an error of SQLite means, for the database file at `path`.
    package init(_ error: DatabaseError, path: String) {
        let (code, advice): (Code, String) =
            switch error.resultCode {
            case .SQLITE_FULL: (.full, "the disk is full; make room and try again")
            case .SQLITE_CORRUPT, .SQLITE_NOTADB:
                (.corrupt, "the file is damaged or not a database; restore a backup")
            case .SQLITE_BUSY, .SQLITE_LOCKED: (.busy, "another process uses it; stop that process")
            case .SQLITE_CONSTRAINT: (.constraint, "a rule of the schema is broken")
            case .SQLITE_IOERR, .SQLITE_CANTOPEN, .SQLITE_READONLY, .SQLITE_PERM, .SQLITE_AUTH, .SQLITE_NOLFS:
                (.io, "check that the directory exists, that it may be written, and that the disk is healthy")
            default: (.misuse, "a statement failed")
            }
        self.init(code: code, message: "database \(path): \(advice)", cause: error)
    }
}
