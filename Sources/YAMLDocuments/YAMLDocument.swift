package import Model
import Yams

/// YAML documents as trees of JSON values.
///
/// Scalars follow the core schema of YAML 1.2 as far as JSON can say it: `true` and `false` in three
/// spellings, `null`, `~` and nothing, and numbers in JSON's grammar, whose spelling is kept (`1.0` stays
/// `1.0`). All else is text: `yes`, `0123`, `0x1F`, dates. Anchors, aliases and merge keys are resolved. A
/// text that begins with U+FEFF loses it, which Foundation takes for a byte order mark.
package enum YAMLDocument {
    /// The longest text that is read, in bytes.
    package static let maximumLength = 4 << 20

    /// How many values a document may hold once its aliases are replaced by what they stand for.
    package static let maximumNodes = 250_000

    /// Parses the one document of a text; a text without any is `null`.
    ///
    /// - Throws: `YAMLDocumentError` with the line where that is known.
    package static func parse(_ text: String) throws(YAMLDocumentError) -> JSONValue {
        guard text.utf8.count <= maximumLength else {
            throw YAMLDocumentError(
                .tooLarge,
                "the document is longer than \(ByteCount(Int64(maximumLength)))"
            )
        }
        // Yams replaces aliases while it reads, and compares keys then: what grows beyond measure is refused
        // before.
        guard AliasExpansion.bound(of: text) <= AliasExpansion.maximum else {
            throw YAMLDocumentError(.tooLarge, "the document's aliases stand for too much")
        }
        let root: Node?
        do {
            root = try Parser(yaml: text, resolver: .basic, constructor: .default, encoding: .utf8)
                .singleRoot()
        } catch let error as YamlError {
            throw YAMLDocumentError(error)
        } catch {
            throw YAMLDocumentError(.malformed, "\(error)", cause: error)
        }
        guard let root else { return .null }
        var reader = NodeReader()
        return try reader.value(root, depth: 0)
    }
}

extension YAMLDocumentError {
    fileprivate init(_ error: YamlError) {
        switch error {
        case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
            .composer(_, let problem, let mark, _):
            self.init(.malformed, problem, line: mark.line, column: mark.column, cause: error)
        case .reader(let problem, let offset, _, let yaml):
            let before = offset.map { yaml.prefix($0) }
            let line = before.map { $0.unicodeScalars.count { $0 == "\n" } + 1 }
            self.init(.malformed, problem, line: line, cause: error)
        case .duplicatedKeysInMapping(let keys, let context):
            let names = keys.sorted().map { "\"\($0)\"" }.joined(separator: ", ")
            self.init(.duplicateKey, "the key \(names) is there twice", line: context.mark.line, cause: error)
        case .no, .memory, .writer, .emitter, .representer, .dataCouldNotBeDecoded:
            self.init(.malformed, "\(error)", cause: error)
        }
    }
}
