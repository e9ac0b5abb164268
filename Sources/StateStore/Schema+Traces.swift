import DurableSQLite

extension Schema {
    /// What traces jobs are part of; most jobs are in none.
    static let traces = SchemaStep(
        "traces of jobs",
        sql: """
            CREATE TABLE job_trace (
                job INTEGER PRIMARY KEY REFERENCES job (number) ON DELETE CASCADE,
                traceparent TEXT NOT NULL
            );
            """
    )

    /// What traces deliveries are part of.
    static let tracesOfDeliveries = SchemaStep(
        "traces of deliveries",
        sql: """
            ALTER TABLE delivery ADD COLUMN trace TEXT;          -- traceparent, as that below
            ALTER TABLE webhook_delivery ADD COLUMN trace TEXT;
            """
    )

    /// What the scripts of attempts used.
    static let useOfAttempts = SchemaStep(
        "processor time and memory of attempts",
        sql: """
            ALTER TABLE attempt ADD COLUMN cpu_time INTEGER;     -- nanoseconds; NULL where nobody knows, as below
            ALTER TABLE attempt ADD COLUMN peak_memory INTEGER;  -- bytes
            """
    )
}
