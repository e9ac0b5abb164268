import GRDB
import Model

/// What buckets and owners use, and may use.
///
/// The numbers are kept by triggers of the index, in the transaction of whatever changes them, so they are right after a
/// crash, and cost no look at the objects.
extension ObjectIndex {
    func usage(of owner: String) throws -> StorageUsage {
        let row = try row("SELECT buckets, bytes FROM usage WHERE owner = ?", [owner])
        return StorageUsage(buckets: row?[0] ?? 0, bytes: ByteCount(row?[1] ?? 0))
    }

    /// - Throws: `tooManyBuckets` where the owner has more than may be, the one that was just made included.
    func checkBucketCount(of owner: String) throws {
        guard let most = quota?(owner)?.buckets, try usage(of: owner).buckets > most else { return }
        throw ObjectStoreError(
            .tooManyBuckets,
            "the quota of \(owner) allows \(most) buckets, and there are so many: delete one, or ask the administrator for more"
        )
    }

    /// Judges what a bucket and its owner's other buckets hold now.
    ///
    /// - Parameter growth: what is to come in addition.
    /// - Throws: `quotaExceeded`.
    func checkRoom(in bucket: BucketRow, for growth: Int64 = 0) throws {
        guard let quota = quota?(bucket.owner) else { return }
        if let most = quota.bytesPerBucket {
            let held = try row("SELECT bytes + pending FROM buckets WHERE id = ?", [bucket.id])
            let bytes = ByteCount(growth) + ByteCount(held?[0] ?? 0)
            guard bytes <= most else { throw Self.exceeded("the bucket \(bucket.name)", bytes, most, "one bucket") }
        }
        if let most = quota.totalBytes {
            let bytes = ByteCount(growth) + (try usage(of: bucket.owner).bytes)
            guard bytes <= most else {
                throw Self.exceeded("the buckets of \(bucket.owner)", bytes, most, "all buckets together")
            }
        }
    }

    private static func exceeded(
        _ place: String,
        _ bytes: ByteCount,
        _ most: ByteCount,
        _ what: String
    ) -> ObjectStoreError {
        ObjectStoreError(
            .quotaExceeded,
            "\(place) would hold \(bytes.bytes) bytes, and the owner's quota allows \(most.bytes) in \(what): delete "
                + "something, or ask the administrator for more"
        )
    }
}

extension Schema {
    static let usage = """
        -- Bytes in parts of unfinished uploads.
        ALTER TABLE buckets ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;
        UPDATE buckets SET pending = (
            SELECT ifnull(sum(size), 0) FROM parts JOIN uploads ON uploads.id = parts.upload
            WHERE uploads.bucket = buckets.id
        );
        CREATE TABLE usage (
            owner TEXT NOT NULL PRIMARY KEY,
            buckets INTEGER NOT NULL,
            bytes INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        INSERT INTO usage (owner, buckets, bytes)
            SELECT owner, count(*), sum(bytes + pending) FROM buckets GROUP BY owner;
        CREATE TRIGGER usage_bucket_made AFTER INSERT ON buckets BEGIN
            INSERT INTO usage (owner, buckets, bytes) VALUES (NEW.owner, 1, NEW.bytes + NEW.pending)
                ON CONFLICT (owner) DO UPDATE SET buckets = buckets + 1, bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER usage_bucket_gone AFTER DELETE ON buckets BEGIN
            UPDATE usage SET buckets = buckets - 1, bytes = bytes - OLD.bytes - OLD.pending WHERE owner = OLD.owner;
            DELETE FROM usage WHERE owner = OLD.owner AND buckets <= 0;
        END;
        CREATE TRIGGER usage_bucket_filled AFTER UPDATE OF bytes, pending ON buckets
        WHEN OLD.owner = NEW.owner AND OLD.bytes + OLD.pending != NEW.bytes + NEW.pending BEGIN
            UPDATE usage SET bytes = bytes + NEW.bytes + NEW.pending - OLD.bytes - OLD.pending
                WHERE owner = NEW.owner;
        END;
        CREATE TRIGGER usage_bucket_given AFTER UPDATE OF owner ON buckets WHEN OLD.owner != NEW.owner BEGIN
            UPDATE usage SET buckets = buckets - 1, bytes = bytes - OLD.bytes - OLD.pending WHERE owner = OLD.owner;
            DELETE FROM usage WHERE owner = OLD.owner AND buckets <= 0;
            INSERT INTO usage (owner, buckets, bytes) VALUES (NEW.owner, 1, NEW.bytes + NEW.pending)
                ON CONFLICT (owner) DO UPDATE SET buckets = buckets + 1, bytes = bytes + excluded.bytes;
        END;
        CREATE TRIGGER pending_part_kept AFTER INSERT ON parts BEGIN
            UPDATE buckets SET pending = pending + NEW.size
                WHERE id = (SELECT bucket FROM uploads WHERE id = NEW.upload);
        END;
        CREATE TRIGGER pending_part_gone AFTER DELETE ON parts BEGIN
            UPDATE buckets SET pending = pending - OLD.size
                WHERE id = (SELECT bucket FROM uploads WHERE id = OLD.upload);
        END;
        """
}
