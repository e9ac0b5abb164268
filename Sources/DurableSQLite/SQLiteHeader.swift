import SystemPackage

/// The first bytes of a database file (SQLite file format, section 1.3), read without opening the database.
enum SQLiteHeader {
    /// The file's `user_version`; `nil` where the file is missing or empty.
    ///
    /// A log beside the file may hold a newer one, so this is for refusing early, not for trusting.
    ///
    /// - Throws: `corrupt` where the file is something else; `io`.
    static func version(ofFileAt path: String) throws(DurableSQLiteError) -> Int? {
        let header: [UInt8]
        do {
            let file = try FileDescriptor.open(FilePath(path), .readOnly)
            header = try file.closeAfter {
                try [UInt8](unsafeUninitializedCapacity: 100) { buffer, count in
                    count = try file.read(into: UnsafeMutableRawBufferPointer(buffer))
                }
            }
        } catch Errno.noSuchFileOrDirectory {
            return nil
        } catch {
            throw DurableSQLiteError(code: .io, message: "database \(path) cannot be read", cause: error)
        }
        guard !header.isEmpty else { return nil }
        guard header.count == 100, header.starts(with: Array("SQLite format 3\0".utf8)) else {
            throw DurableSQLiteError(
                code: .corrupt,
                message: "\(path) is not a database; move it away or restore a backup"
            )
        }
        return Int(Int32(bitPattern: header[60..<64].reduce(0) { $0 << 8 | UInt32($1) }))
    }
}
