import DurableSQLite

/// The index's schema; `docs/object-store.md` explains it.
enum Schema {
    static let steps: [SchemaStep] = [
        SchemaStep("buckets, objects, uploads, events, garbage", sql: first),
        SchemaStep("settings of buckets", sql: settings),
        SchemaStep("small contents, checks", sql: smallContents),
        SchemaStep("versions of objects, checksums of pieces, finished uploads", sql: versions),
        SchemaStep("deleted buckets whose events are not all read", sql: departures),
        SchemaStep("what jobs have put", sql: putMarks),
        SchemaStep("traces of events", sql: "ALTER TABLE events ADD COLUMN trace TEXT"),
        SchemaStep("receipts of deliveries", sql: receipts),
        SchemaStep("what owners use", sql: usage),
    ]

    private static let putMarks = """
        CREATE TABLE put_marks (
            owner TEXT NOT NULL,
            bucket TEXT NOT NULL,
            key TEXT NOT NULL,
            etag TEXT NOT NULL,
            size INTEGER NOT NULL,
            PRIMARY KEY (owner, bucket, key)
        ) STRICT, WITHOUT ROWID;
        """

    private static let departures = """
        CREATE TABLE departures (
            last_event INTEGER NOT NULL,
            bucket TEXT NOT NULL,
            notification TEXT,
            PRIMARY KEY (last_event, bucket)
        ) STRICT, WITHOUT ROWID;
        """

    private static let smallContents = """
        CREATE TABLE small_contents (
            content TEXT NOT NULL UNIQUE,
            xxh64 INTEGER NOT NULL,
            bytes BLOB NOT NULL
        ) STRICT;
        CREATE TABLE checks (file TEXT NOT NULL PRIMARY KEY, xxh64 INTEGER NOT NULL) STRICT, WITHOUT ROWID;
        """

    private static let first = """
        CREATE TABLE buckets (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL UNIQUE,
            owner TEXT NOT NULL,
            created INTEGER NOT NULL,
            tags TEXT NOT NULL,
            objects INTEGER NOT NULL DEFAULT 0,
            bytes INTEGER NOT NULL DEFAULT 0
        ) STRICT;
        CREATE TABLE objects (
            bucket INTEGER NOT NULL REFERENCES buckets (id),
            key TEXT NOT NULL,
            size INTEGER NOT NULL,
            etag TEXT NOT NULL,
            modified INTEGER NOT NULL,
            content TEXT NOT NULL,
            parts INTEGER,
            content_type TEXT NOT NULL,
            attributes TEXT NOT NULL,
            PRIMARY KEY (bucket, key)
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX objects_content ON objects (content);
        CREATE TABLE pieces (
            content TEXT NOT NULL,
            number INTEGER NOT NULL,
            file TEXT NOT NULL,
            start INTEGER NOT NULL,
            size INTEGER NOT NULL,
            PRIMARY KEY (content, number)
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX pieces_file ON pieces (file);
        CREATE TABLE uploads (
            bucket INTEGER NOT NULL REFERENCES buckets (id),
            key TEXT NOT NULL,
            id TEXT NOT NULL UNIQUE,
            initiated INTEGER NOT NULL,
            principal TEXT NOT NULL,
            content_type TEXT NOT NULL,
            attributes TEXT NOT NULL,
            checksum_algorithm TEXT,
            checksum_type TEXT NOT NULL,
            PRIMARY KEY (bucket, key, id)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE parts (
            upload TEXT NOT NULL REFERENCES uploads (id),
            number INTEGER NOT NULL,
            content TEXT NOT NULL,
            size INTEGER NOT NULL,
            etag TEXT NOT NULL,
            checksums TEXT NOT NULL,
            modified INTEGER NOT NULL,
            PRIMARY KEY (upload, number)
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX parts_content ON parts (content);
        CREATE TABLE events (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            cause TEXT NOT NULL,
            bucket TEXT NOT NULL,
            key TEXT NOT NULL,
            size INTEGER NOT NULL,
            etag TEXT NOT NULL,
            content_type TEXT NOT NULL,
            metadata TEXT NOT NULL,
            time INTEGER NOT NULL,
            principal TEXT NOT NULL,
            source_address TEXT NOT NULL
        ) STRICT;
        CREATE TABLE garbage (content TEXT NOT NULL PRIMARY KEY) STRICT, WITHOUT ROWID;
        """

    private static let settings = """
        CREATE TABLE settings (
            bucket INTEGER NOT NULL REFERENCES buckets (id),
            kind TEXT NOT NULL,
            document TEXT NOT NULL,
            PRIMARY KEY (bucket, kind)
        ) STRICT, WITHOUT ROWID;
        """

    private static let versions = """
        ALTER TABLE buckets ADD COLUMN versioning TEXT NOT NULL DEFAULT '';
        ALTER TABLE buckets ADD COLUMN versions INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE objects ADD COLUMN version TEXT NOT NULL DEFAULT '';
        CREATE TABLE versions (
            bucket INTEGER NOT NULL REFERENCES buckets (id),
            key TEXT NOT NULL,
            sequence INTEGER NOT NULL,
            replaced INTEGER,
            version TEXT NOT NULL,
            size INTEGER NOT NULL,
            etag TEXT NOT NULL,
            modified INTEGER NOT NULL,
            content TEXT,
            parts INTEGER,
            content_type TEXT NOT NULL,
            attributes TEXT NOT NULL,
            PRIMARY KEY (bucket, key, sequence DESC)
        ) STRICT, WITHOUT ROWID;
        CREATE UNIQUE INDEX versions_version ON versions (bucket, key, version);
        CREATE UNIQUE INDEX versions_content ON versions (content) WHERE content IS NOT NULL;
        CREATE INDEX versions_latest ON versions (bucket, key) WHERE replaced IS NULL;
        ALTER TABLE pieces ADD COLUMN checksums TEXT NOT NULL DEFAULT '';
        CREATE TABLE finished_uploads (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            upload TEXT NOT NULL UNIQUE,
            bucket INTEGER NOT NULL,
            finished INTEGER NOT NULL,
            named TEXT NOT NULL,
            key TEXT NOT NULL,
            size INTEGER NOT NULL,
            etag TEXT NOT NULL,
            modified INTEGER NOT NULL,
            content TEXT NOT NULL,
            parts INTEGER,
            content_type TEXT NOT NULL,
            attributes TEXT NOT NULL,
            version TEXT NOT NULL
        ) STRICT;
        """
}
