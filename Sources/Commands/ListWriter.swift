import Model
import YAMLDocuments

/// One column of a table.
struct Column {
    var title: String
    var isNumber = false
    /// The colour of a value, for words that mean something.
    var style: (@Sendable (String) -> Style?)?

    init(_ title: String, isNumber: Bool = false, style: (@Sendable (String) -> Style?)? = nil) {
        (self.title, self.isNumber, self.style) = (title, isNumber, style)
    }
}

/// One row: what the table shows, and what scripts get.
struct Row {
    var cells: [String]
    var json: JSONValue
}

/// Prints a list page by page, so that its length does not matter: as a table, a JSON array, or a YAML sequence.
///
/// The first page decides how wide the columns are; a later value that is wider pushes its row out of line.
struct ListWriter {
    let columns: [Column]
    let format: OutputFormat
    /// What a table says in place of no rows, on the standard error.
    let emptyText: String
    private var widths: [Int] = []
    private var count = 0

    init(_ columns: [Column], format: OutputFormat, emptyText: String) {
        (self.columns, self.format, self.emptyText) = (columns, format, emptyText)
    }

    /// Prints a page.
    ///
    /// - Throws: `outputClosed`.
    mutating func append(_ rows: [Row]) throws(CommandError) {
        guard !rows.isEmpty else { return }
        let text =
            switch format {
            case .table: tableText(rows)
            case .json: jsonText(rows)
            case .yaml: rows.map { YAMLDocument.text(of: .array([$0.json])) }.map(Self.lineEnded).joined()
            }
        count += rows.count
        try Console.write(text)
    }

    /// Prints what comes after the last page.
    ///
    /// - Throws: `outputClosed`.
    func finish() throws(CommandError) {
        switch format {
        case .table: if count == 0 { Console.complain(emptyText) }
        case .json: try Console.write(count == 0 ? "[]\n" : "\n]\n")
        case .yaml: if count == 0 { try Console.write("[]\n") }
        }
    }

    private mutating func tableText(_ rows: [Row]) -> String {
        let printable = rows.map { $0.cells.map { Text.printable($0) } }
        var text = ""
        if count == 0 {
            widths = columns.indices.map { index in
                printable.reduce(Text.width(columns[index].title)) { max($0, Text.width($1[index])) }
            }
            text += line(columns.map(\.title)) { _, title in Style.bold(title) }
        }
        for cells in printable {
            text += line(cells) { index, padded in
                columns[index].style.flatMap { $0(cells[index]) }.map { $0(padded) } ?? padded
            }
        }
        return text
    }

    private func line(_ cells: [String], _ styled: (Int, String) -> String) -> String {
        var text = ""
        for (index, cell) in cells.enumerated() {
            let isLast = index == cells.count - 1
            // No spaces at the end of a line.
            let padded =
                isLast && !columns[index].isNumber
                ? cell : Text.padded(cell, to: widths[index], right: columns[index].isNumber)
            text += styled(index, padded) + (isLast ? "\n" : "  ")
        }
        return text
    }

    private func jsonText(_ rows: [Row]) -> String {
        var text = ""
        for (index, row) in rows.enumerated() {
            text += count + index == 0 ? "[\n  " : ",\n  "
            text += row.json.prettyText().split(separator: "\n", omittingEmptySubsequences: false).joined(
                separator: "\n  ")
        }
        return text
    }

    private static func lineEnded(_ text: String) -> String { text.hasSuffix("\n") ? text : text + "\n" }
}

extension OutputFormat {
    /// Prints one value: for people as YAML, which reads best.
    ///
    /// - Throws: `outputClosed`.
    func show(_ value: JSONValue) throws(CommandError) {
        switch self {
        case .table, .yaml:
            let text = YAMLDocument.text(of: value)
            try Console.write(text.hasSuffix("\n") ? text : text + "\n")
        case .json: try Console.say(value.prettyText())
        }
    }
}

/// The colour of a job's state, in OSCAR's words or in ours.
@Sendable func stateStyle(_ state: String) -> Style? {
    switch state.lowercased() {
    case "succeeded": .green
    case "failed", "cancelled", "dead": .red
    case "pending", "queued", "suspended", "paused": .yellow
    case "running", "staging_in", "staging_out", "delivering": .cyan
    default: nil
    }
}
