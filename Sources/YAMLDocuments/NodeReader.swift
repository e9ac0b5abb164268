import Model
import Yams

/// Turns Yams's nodes into JSON values, within bounds.
struct NodeReader {
    private var count = 0
    private var bytes = 0

    mutating func value(_ node: Node, depth: Int) throws(YAMLDocumentError) -> JSONValue {
        guard depth < JSONValue.maximumDepth else {
            throw error(.tooDeep, "nested deeper than \(JSONValue.maximumDepth)", node.mark)
        }
        count += 1
        guard count <= YAMLDocument.maximumNodes else {
            throw error(
                .tooLarge,
                "the document has more than \(YAMLDocument.maximumNodes) values",
                node.mark
            )
        }
        switch node {
        case .scalar(let scalar): return try self.scalar(scalar)
        case .sequence(let sequence):
            var elements: [JSONValue] = []
            for element in sequence { elements.append(try value(element, depth: depth + 1)) }
            return .array(elements)
        case .mapping(let mapping): return .object(try object(mapping, depth: depth))
        case .alias(let alias): throw error(.unsupported, "an alias to nothing", alias.mark)
        }
    }

    private mutating func object(_ mapping: Node.Mapping, depth: Int) throws(YAMLDocumentError) -> JSONObject {
        var object = JSONObject()
        var merged: [Node] = []
        for (key, member) in mapping {
            guard case .scalar(let name) = key else {
                throw error(.unsupported, "a list or map cannot be a key here", key.mark)
            }
            if name.string == "<<", name.style == .plain {
                merged.append(member)
                continue
            }
            guard object[name.string] == nil else {
                throw error(.duplicateKey, "the key \"\(name.string)\" is there twice", name.mark)
            }
            try addBytes(name.string, name.mark)
            object[name.string] = try value(member, depth: depth + 1)
        }
        for node in merged { try merge(node, into: &object, depth: depth) }
        return object
    }

    /// `<<: *other`: members that are not there yet come from another map, or from the first of several that
    /// has them (YAML's merge key, yaml.org/type/merge.html).
    private mutating func merge(_ node: Node, into object: inout JSONObject, depth: Int)
        throws(YAMLDocumentError)
    {
        let sources: [Node]
        switch node {
        case .mapping: sources = [node]
        case .sequence(let sequence): sources = Array(sequence)
        case .scalar, .alias: throw error(.unsupported, "<< must be followed by a map", node.mark)
        }
        for source in sources {
            guard case .object(let other) = try value(source, depth: depth + 1) else {
                throw error(.unsupported, "<< must be followed by a map", node.mark)
            }
            for (key, member) in other.members where object[key] == nil { object[key] = member }
        }
    }

    private mutating func scalar(_ scalar: Node.Scalar) throws(YAMLDocumentError) -> JSONValue {
        let text = scalar.string
        try addBytes(text, scalar.mark)
        switch ScalarTag(scalar) {
        case .text: return .string(text)
        case .plain: return PlainScalar.value(of: text)
        case .null: return .null
        case .number:
            guard PlainScalar.isNumber(text) else {
                throw error(.unsupported, "\"\(text)\" is not a number", scalar.mark)
            }
            return .number(text)
        case .bool:
            guard let value = PlainScalar.bool(text) else {
                throw error(.unsupported, "\"\(text)\" is not true or false", scalar.mark)
            }
            return .bool(value)
        }
    }

    private mutating func addBytes(_ text: String, _ mark: Mark?) throws(YAMLDocumentError) {
        bytes += text.utf8.count
        guard bytes <= AliasExpansion.maximum else {
            throw error(.tooLarge, "the document's aliases stand for too much", mark)
        }
    }

    private func error(_ code: YAMLDocumentError.Code, _ problem: String, _ mark: Mark?) -> YAMLDocumentError {
        YAMLDocumentError(code, problem, line: mark?.line, column: mark?.column)
    }
}

/// What a scalar's style and tag say about its type.
private enum ScalarTag {
    case text, plain, null, number, bool

    init(_ scalar: Node.Scalar) {
        let tag = scalar.tag.rawValue
        if tag == Tag.Name.int.rawValue || tag == Tag.Name.float.rawValue {
            self = .number
        } else if tag == Tag.Name.bool.rawValue {
            self = .bool
        } else if tag == Tag.Name.null.rawValue {
            self = .null
        } else if tag == Tag.Name.implicit.rawValue, scalar.style == .plain || scalar.style == .any {
            self = .plain
        } else {
            self = .text
        }
    }
}
