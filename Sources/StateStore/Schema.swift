import DurableSQLite
import GRDB

/// The tables of `state.sqlite`, step by step; a step that was released is never changed.
enum Schema {
    static let steps: [SchemaStep] = [
        SchemaStep("services, jobs, deliveries, the router's place") { database in
            try database.execute(
                sql: """
                    CREATE TABLE service (
                        name TEXT NOT NULL PRIMARY KEY,
                        definition TEXT NOT NULL,      -- JSON in its stored form, secrets included
                        made_buckets TEXT NOT NULL,    -- JSON array: buckets that were made for this service
                        version INTEGER NOT NULL,      -- grows with each update
                        created INTEGER NOT NULL,      -- nanoseconds since 1970
                        updated INTEGER NOT NULL
                    ) WITHOUT ROWID;

                    CREATE TABLE job (
                        number INTEGER PRIMARY KEY AUTOINCREMENT,
                        name TEXT NOT NULL UNIQUE,
                        service TEXT NOT NULL,
                        event_sequence INTEGER,        -- NULL for jobs that a client posted
                        state TEXT NOT NULL,
                        input_bucket TEXT,
                        input_key TEXT,
                        principal TEXT NOT NULL,
                        event BLOB,                    -- NULL where the event is kept in a file
                        attempts INTEGER NOT NULL DEFAULT 0,
                        exit_code INTEGER,
                        message TEXT,
                        created INTEGER NOT NULL,      -- nanoseconds since 1970, as the two below
                        started INTEGER,
                        finished INTEGER,
                        stage_in INTEGER,              -- nanoseconds, as the two below
                        run INTEGER,
                        stage_out INTEGER
                    );
                    -- One job per event and service, however often an event is routed.
                    CREATE UNIQUE INDEX job_event ON job (event_sequence, service) WHERE event_sequence IS NOT NULL;
                    CREATE INDEX job_service_state ON job (service, state, number);
                    CREATE INDEX job_state ON job (state, number);
                    CREATE INDEX job_finished ON job (finished) WHERE finished IS NOT NULL;

                    CREATE TABLE delivery (
                        id INTEGER PRIMARY KEY AUTOINCREMENT,
                        job INTEGER NOT NULL REFERENCES job (number) ON DELETE CASCADE,
                        provider TEXT NOT NULL,
                        path TEXT NOT NULL,
                        name TEXT NOT NULL,
                        file TEXT NOT NULL,
                        size INTEGER NOT NULL,
                        attempts INTEGER NOT NULL DEFAULT 0,
                        next_attempt INTEGER NOT NULL,
                        last_error TEXT,
                        UNIQUE (job, provider, path, name)
                    );
                    CREATE INDEX delivery_due ON delivery (next_attempt);
                    CREATE INDEX delivery_job ON delivery (job);

                    -- The last event that was turned into jobs.
                    CREATE TABLE router (id INTEGER PRIMARY KEY CHECK (id = 0), position INTEGER NOT NULL);
                    INSERT INTO router (id, position) VALUES (0, 0);
                    """
            )
        },
        SchemaStep(
            "deliveries to webhooks",
            sql: """
                -- What webhooks are still to be told; each is told in the order of the identifiers.
                CREATE TABLE webhook_delivery (
                    id INTEGER PRIMARY KEY AUTOINCREMENT,
                    webhook TEXT NOT NULL,
                    event_sequence INTEGER NOT NULL,
                    body BLOB NOT NULL,
                    UNIQUE (webhook, event_sequence)
                );
                CREATE INDEX webhook_delivery_line ON webhook_delivery (webhook, id);
                -- The webhooks that were declared once: events for one that is not declared now wait.
                CREATE TABLE webhook (name TEXT NOT NULL PRIMARY KEY) WITHOUT ROWID;
                """
        ),
        queueCounts,
        pauses,
        routedAhead,
        SchemaStep("attempts, retries, idempotent posts, notices of failures", sql: attempts),
        schedulesAndBackfills,
        eventsAndRetention,
        traces,
        SchemaStep("lines of deliveries by destination", sql: deliveryLines),
        tracesOfDeliveries,
        users,
        quotas,
        volumes,
        useOfAttempts,
    ]

    private static let attempts = """
        CREATE TABLE attempt (
            job INTEGER NOT NULL REFERENCES job (number) ON DELETE CASCADE,
            number INTEGER NOT NULL,       -- from 1
            begun INTEGER NOT NULL,        -- nanoseconds since 1970, as the two below
            started INTEGER,               -- the script's start
            ended INTEGER,
            outcome TEXT,                  -- NULL while it is under way
            exit_code INTEGER,
            signal INTEGER,
            out_of_memory INTEGER,         -- 0 or 1; NULL where nobody knows
            stage_in INTEGER,              -- nanoseconds, as the two below
            run INTEGER,
            stage_out INTEGER,
            node TEXT NOT NULL,
            sandbox TEXT NOT NULL,
            message TEXT,
            PRIMARY KEY (job, number)
        ) WITHOUT ROWID;

        -- A queued job with this set waits for its next attempt; nanoseconds since 1970.
        ALTER TABLE job ADD COLUMN not_before INTEGER;
        -- Attempts up to this number do not count any more: somebody has sent the job on its way again.
        ALTER TABLE job ADD COLUMN round INTEGER NOT NULL DEFAULT 0;
        CREATE INDEX job_not_before ON job (not_before) WHERE not_before IS NOT NULL;

        -- What was posted under a key, or for an event of another store, is not posted twice.
        CREATE TABLE job_key (
            service TEXT NOT NULL,
            key TEXT NOT NULL,
            digest BLOB NOT NULL,          -- of the body; empty where any body will do
            job INTEGER NOT NULL REFERENCES job (number) ON DELETE CASCADE,
            PRIMARY KEY (service, key)
        ) WITHOUT ROWID;
        CREATE INDEX job_key_job ON job_key (job);

        -- What failure outputs in this cluster's store are still to get.
        CREATE TABLE failure_notice (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            bucket TEXT NOT NULL,
            key TEXT NOT NULL,
            principal TEXT NOT NULL,
            document BLOB NOT NULL
        );
        """
}
