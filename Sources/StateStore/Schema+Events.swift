import DurableSQLite

extension Schema {
    /// The last events and what they came to; ended jobs of a service by their end.
    static let eventsAndRetention = SchemaStep(
        "the last events, and ended jobs of a service in order",
        sql: """
            CREATE TABLE event (
                number INTEGER PRIMARY KEY AUTOINCREMENT,
                sequence INTEGER NOT NULL UNIQUE,  -- the object store's number, which the jobs have, too
                time INTEGER NOT NULL,             -- nanoseconds since 1970
                cause TEXT NOT NULL,
                bucket TEXT NOT NULL,
                key TEXT NOT NULL,
                size INTEGER NOT NULL,
                principal TEXT NOT NULL,
                services TEXT NOT NULL,            -- names, separated by spaces
                webhooks TEXT NOT NULL,            -- as above
                reason INTEGER                     -- why nobody was told
            );
            CREATE INDEX event_bucket ON event (bucket, number);
            CREATE INDEX job_service_finished ON job (service, finished) WHERE finished IS NOT NULL;
            """
    )
}
