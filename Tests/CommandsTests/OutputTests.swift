import Model
import Synchronization
import SystemPackage
import Testing

@testable import Commands

struct OutputTests {
    /// What a list looks like in some surroundings.
    private func printed(
        _ pages: [[Row]],
        format: OutputFormat,
        isTerminal: Bool = false,
        variables: [String: String] = [:],
        columns: [Column] = [Column("NAME"), Column("SIZE", isNumber: true), Column("STATE", style: stateStyle)]
    ) throws -> (output: String, error: String) {
        let written = Mutex((output: "", error: ""))
        let surroundings = Surroundings(
            variables: variables, workingDirectory: "/", outputIsTerminal: isTerminal,
            write: { (stream, bytes) throws(CommandError) in
                let text = String(decoding: bytes, as: UTF8.self)
                written.withLock { if stream == .output { $0.output += text } else { $0.error += text } }
            },
            readInput: { _ in [] }, now: { Instant(seconds: 0) })
        try Surroundings.$current.withValue(surroundings) {
            var writer = ListWriter(columns, format: format, emptyText: "Nothing.")
            for page in pages { try writer.append(page) }
            try writer.finish()
        }
        return written.withLock { $0 }
    }

    private let rows = [
        Row(cells: ["a", "1", "Failed"], json: .object(["name": .string("a")])),
        Row(cells: ["日本", "12345", "other"], json: .object(["name": .string("日本")])),
    ]

    @Test func tablesAreAligned() throws {
        let text = try printed([rows], format: .table).output
        #expect(text == "NAME   SIZE  STATE\na         1  Failed\n日本  12345  other\n")
    }

    @Test func laterPagesHaveNoHeader() throws {
        let text = try printed([[rows[0]], [], [rows[1]]], format: .table).output
        #expect(text == "NAME  SIZE  STATE\na        1  Failed\n日本  12345  other\n")
    }

    @Test func jsonIsOneArrayOverAllPages() throws {
        let text = try printed([[rows[0]], [rows[1]]], format: .json).output
        #expect(try JSONValue.parse(text) == .array(rows.map(\.json)))
        #expect(try JSONValue.parse(printed([], format: .json).output) == .array([]))
    }

    @Test func yamlIsOneSequenceOverAllPages() throws {
        #expect(try printed([[rows[0]], [rows[0]]], format: .yaml).output == "- name: a\n- name: a\n")
        #expect(try printed([], format: .yaml).output == "[]\n")
    }

    @Test func nothingIsSaidOnTheErrorStream() throws {
        let texts = try printed([], format: .table)
        #expect(texts.output.isEmpty)
        #expect(texts.error == "Nothing.\n")
    }

    @Test func coloursAreForTerminalsOnly() throws {
        #expect(try printed([rows], format: .table, isTerminal: true).output.contains("\u{1B}[31mFailed"))
        #expect(try !printed([rows], format: .table).output.contains("\u{1B}"))
        let without = try printed([rows], format: .table, isTerminal: true, variables: ["NO_COLOR": "1"])
        #expect(!without.output.contains("\u{1B}"))
    }

    @Test(arguments: ["a\u{1B}[2Jb", "a\r\nb", "a\u{9B}31mb", "a\u{202E}b", "a\u{7}b", "a\tb"])
    func namesCannotControlTheTerminal(name: String) throws {
        let row = Row(cells: [name], json: .null)
        let text = try printed([[row]], format: .table, columns: [Column("NAME")]).output
        #expect(text.unicodeScalars.filter { $0.value < 0x20 }.count == 2)
        #expect(!text.unicodeScalars.contains { $0.value == 0x9B || $0.value == 0x202E })
    }

    @Test(arguments: [("", 0), ("abc", 3), ("é", 1), ("日本", 4), ("😀", 2), ("e\u{301}", 1)])
    func knowsWidths(text: String, width: Int) { #expect(Text.width(text) == width) }

    @Test func statusesTellKindsApart() {
        let all = CommandError.Code.allCases.map(\.exitStatus)
        #expect(Set(all).count == all.count)
        #expect(!all.contains(0) && !all.contains(2) && !all.contains(64))
    }
}
