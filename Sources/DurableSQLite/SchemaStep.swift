package import GRDB

/// One step forward of a database's schema.
///
/// Steps are only ever added at the end of their list: how many of them a file has had is its version
/// (`PRAGMA user_version`).
package struct SchemaStep: Sendable {
    /// What the step does, for the log and for errors.
    package let name: String
    /// Changes the schema.
    ///
    /// Runs inside a transaction of its own, together with the new version number.
    package let apply: @Sendable (Database) throws -> Void

    package init(_ name: String, apply: @escaping @Sendable (Database) throws -> Void) {
        self.name = name
        self.apply = apply
    }

    /// A step of plain statements, separated by semicolons.
    package init(_ name: String, sql: String) {
        self.init(name) { database in try database.execute(sql: sql) }
    }
}
