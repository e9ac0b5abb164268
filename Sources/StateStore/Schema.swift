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
        SchemaStep("lines of deliveries by destination", sql: deliveryLines),
    ]
}
