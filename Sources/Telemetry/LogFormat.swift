/// How log records are written.
package enum LogFormat: String, Sendable, CaseIterable {
    /// One line for people: time, level, label, message, `key=value`.
    case text
    /// One JSON object a line: `time`, `level`, `logger`, `message`, `metadata`.
    case json
}
