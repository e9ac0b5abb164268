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
}
