import GRDB
package import Model

/// Whose jobs somebody may see who may not see all.
package struct JobAudience: Sendable, Hashable {
    /// All jobs of these services.
    package var services: Set<ServiceName>
    /// Beside them the jobs that this principal caused; none where `nil`.
    package var causer: String?

    package init(services: Set<ServiceName>, causer: String?) { (self.services, self.causer) = (services, causer) }

    /// As the condition of a query.
    var condition: (sql: String, arguments: StatementArguments) {
        // A job that is called by its service's name was caused by that service's token.
        var sql = "principal = ? AND principal <> service"
        var arguments: StatementArguments = [causer ?? ""]
        if causer == nil { sql = "0 AND ? = ''" }
        guard !services.isEmpty else { return ("(\(sql))", arguments) }
        sql += " OR service IN (\(services.map { _ in "?" }.joined(separator: ", ")))"
        arguments += StatementArguments(services.map(\.text).sorted())
        return ("(\(sql))", arguments)
    }
}
