extension Schema {
    /// Deliveries know their destination and key, what names them to the other side, and how far an upload has come.
    static let deliveryLines = """
        ALTER TABLE delivery ADD COLUMN destination TEXT NOT NULL DEFAULT '';  -- service/provider
        ALTER TABLE delivery ADD COLUMN key TEXT NOT NULL DEFAULT '';          -- path/name
        ALTER TABLE delivery ADD COLUMN token TEXT NOT NULL DEFAULT '';        -- 32 hexadecimal digits
        ALTER TABLE delivery ADD COLUMN created INTEGER NOT NULL DEFAULT 0;    -- nanoseconds since 1970
        ALTER TABLE delivery ADD COLUMN upload TEXT;                           -- a multipart upload under way
        UPDATE delivery SET
            destination = (SELECT service FROM job WHERE number = delivery.job) || '/' || provider,
            key = path || '/' || name,
            token = lower(hex(randomblob(16))),
            created = next_attempt;
        ALTER TABLE job ADD COLUMN lost_results INTEGER NOT NULL DEFAULT 0;    -- given up before they arrived
        DROP INDEX delivery_due;
        CREATE INDEX delivery_line ON delivery (destination, id);
        CREATE INDEX delivery_key ON delivery (destination, key, id);
        CREATE INDEX delivery_due ON delivery (destination, next_attempt);

        -- The parts of an upload that the other side has confirmed.
        CREATE TABLE delivery_part (
            delivery INTEGER NOT NULL REFERENCES delivery (id) ON DELETE CASCADE,
            number INTEGER NOT NULL,
            etag TEXT NOT NULL,
            PRIMARY KEY (delivery, number)
        ) WITHOUT ROWID;

        -- What waits in all, so that nobody has to count it.
        CREATE TABLE delivery_total (
            id INTEGER PRIMARY KEY CHECK (id = 0),
            waiting INTEGER NOT NULL,
            bytes INTEGER NOT NULL
        );
        INSERT INTO delivery_total SELECT 0, count(*), coalesce(sum(size), 0) FROM delivery;
        CREATE TRIGGER delivery_counted AFTER INSERT ON delivery BEGIN
            UPDATE delivery_total SET waiting = waiting + 1, bytes = bytes + new.size;
        END;
        CREATE TRIGGER delivery_uncounted AFTER DELETE ON delivery BEGIN
            UPDATE delivery_total SET waiting = waiting - 1, bytes = bytes - old.size;
        END;

        -- Uploads whose delivery was given up, to be aborted.
        CREATE TABLE abandoned_upload (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            destination TEXT NOT NULL,
            path TEXT NOT NULL,
            name TEXT NOT NULL,
            upload TEXT NOT NULL
        );
        CREATE TRIGGER delivery_given_up AFTER DELETE ON delivery WHEN old.upload IS NOT NULL BEGIN
            INSERT INTO abandoned_upload (destination, path, name, upload)
            VALUES (old.destination, old.path, old.name, old.upload);
        END;
        """
}
