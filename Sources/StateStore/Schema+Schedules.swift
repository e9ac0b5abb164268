import DurableSQLite

extension Schema {
    /// What schedules of services have come to, and how far backfills are.
    static let schedulesAndBackfills = SchemaStep(
        "schedules and backfills",
        sql: """
            CREATE TABLE schedule (
                service TEXT NOT NULL,
                name TEXT NOT NULL,
                expression TEXT NOT NULL,      -- another one begins anew
                decided INTEGER NOT NULL,      -- nanoseconds since 1970: what was due up to here is done or left out
                forgotten INTEGER NOT NULL,    -- as above: nothing is made for what was due up to here, ever
                runs INTEGER NOT NULL DEFAULT 0,
                last_due INTEGER,
                last_job TEXT,
                PRIMARY KEY (service, name)
            ) WITHOUT ROWID;
            -- One row for each job that a schedule made: none is made again, whatever the clock does.
            CREATE TABLE schedule_run (
                service TEXT NOT NULL,
                name TEXT NOT NULL,
                due INTEGER NOT NULL,
                PRIMARY KEY (service, name, due)
            ) WITHOUT ROWID;

            CREATE TABLE backfill (
                id INTEGER PRIMARY KEY AUTOINCREMENT,
                service TEXT NOT NULL,
                token TEXT NOT NULL,           -- who asks again with it goes on with this one
                bucket TEXT NOT NULL,
                prefix TEXT NOT NULL,
                since INTEGER,                 -- nanoseconds since 1970: older objects are left out
                dry_run INTEGER NOT NULL,
                state TEXT NOT NULL,
                after_key TEXT,                -- every key up to this one is done
                seen INTEGER NOT NULL DEFAULT 0,
                jobs INTEGER NOT NULL DEFAULT 0,
                principal TEXT NOT NULL,
                message TEXT,
                created INTEGER NOT NULL,      -- objects that were written later have their own events
                updated INTEGER NOT NULL,
                UNIQUE (service, token)
            );
            CREATE TRIGGER service_time AFTER DELETE ON service BEGIN
                DELETE FROM schedule WHERE service = old.name;
                DELETE FROM schedule_run WHERE service = old.name;
                DELETE FROM backfill WHERE service = old.name;
            END;
            """
    )
}
