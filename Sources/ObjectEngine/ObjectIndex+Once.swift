import GRDB
import Model

/// What was put on behalf of somebody who may not remember it: a job whose end was not recorded yet puts its results
/// again after a crash.
extension ObjectIndex {
    /// Whether the owner has put that content under that key already; from now on it has.
    func wasPut(_ object: NewObject, by owner: String) throws -> Bool {
        let known = try row(
            "SELECT etag, size FROM put_marks WHERE owner = ? AND bucket = ? AND key = ?",
            [owner, object.bucket.text, object.key.text]
        )
        if let known, known[0] == object.eTag, known[1] == object.size.bytes { return true }
        try execute(
            "INSERT OR REPLACE INTO put_marks (owner, bucket, key, etag, size) VALUES (?, ?, ?, ?, ?)",
            [owner, object.bucket.text, object.key.text, object.eTag, object.size.bytes]
        )
        return false
    }

    func forgetPuts(by owners: [String]) throws {
        for owner in owners { try execute("DELETE FROM put_marks WHERE owner = ?", [owner]) }
    }

    func putOwners(after owner: String, limit: Int) throws -> [String] {
        try rows("SELECT DISTINCT owner FROM put_marks WHERE owner > ? ORDER BY owner LIMIT ?", [owner, limit])
            .map { $0[0] }
    }
}
