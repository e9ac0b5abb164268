package import Logging
import Model

/// Writes log records to standard error, one line each, as text for people or as JSON for programs.
///
/// Times are RFC 3339 in UTC with milliseconds. Keys of metadata are sorted. Control characters in messages
/// and values are escaped, so that a record cannot forge another one or drive the terminal.
package struct ApusLogHandler: LogHandler {
    package var metadata: Logger.Metadata = [:]
    package var metadataProvider: Logger.MetadataProvider?
    package var logLevel: Logger.Level

    private let label: String
    private let format: LogFormat
    private let usesColors: Bool
    private let now: @Sendable () -> Instant
    private let write: @Sendable ([UInt8]) -> Void

    /// A handler that writes to standard error, with colours where that is a terminal and `NO_COLOR` is not
    /// set.
    package init(
        label: String,
        format: LogFormat = .text,
        level: Logger.Level = .info,
        metadataProvider: Logger.MetadataProvider? = nil
    ) {
        let sink = LogSink.standardError
        self.init(
            label: label,
            format: format,
            level: level,
            metadataProvider: metadataProvider,
            usesColors: format == .text && sink.wantsColors,
            now: { Instant(nanoseconds: LogSink.nanosecondsNow()) },
            write: { sink.write($0) }
        )
    }

    init(
        label: String,
        format: LogFormat,
        level: Logger.Level,
        metadataProvider: Logger.MetadataProvider?,
        usesColors: Bool,
        now: @escaping @Sendable () -> Instant,
        write: @escaping @Sendable ([UInt8]) -> Void
    ) {
        self.label = label
        self.format = format
        self.logLevel = level
        self.metadataProvider = metadataProvider
        self.usesColors = usesColors
        self.now = now
        self.write = write
    }

    package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    package func log(event: LogEvent) {
        let record = LogRecord(
            time: now(),
            level: event.level,
            label: label,
            message: event.message.description,
            metadata: merged(event)
        )
        switch format {
        case .text: write(Array(record.text(colors: usesColors).utf8))
        case .json: write(record.json())
        }
    }

    /// The handler's metadata, then the provider's, then the record's own: the later wins.
    private func merged(_ event: LogEvent) -> Logger.Metadata {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { _, later in later } }
        if let own = event.metadata { all.merge(own) { _, later in later } }
        if let error = event.error { all["error"] = "\(error)" }
        return all
    }
}
