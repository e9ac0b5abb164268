/// A small XML document as a tree.
package struct XMLElement: Sendable, Hashable {
    /// Without its prefix.
    package var name: String
    /// All texts right within the element, joined.
    package var text = ""
    package var children: [XMLElement] = []

    package init(name: String) { self.name = name }

    /// Parses a document.
    ///
    /// - Parameter maximumElements: how many elements it may have.
    /// - Throws: `S3Error` with `malformedXML`.
    package static func parse(_ bytes: [UInt8], maximumElements: Int = 100_000) throws(S3Error) -> XMLElement {
        var reader = XMLReader(bytes)
        var open: [XMLElement] = []
        var root: XMLElement?
        var count = 0
        while let event = try reader.next() {
            switch event {
            case .start(let name):
                count += 1
                guard count <= maximumElements else {
                    throw S3Error(.malformedXML, "The XML that you provided has too many elements.")
                }
                open.append(XMLElement(name: name))
            case .text(let text):
                guard !open.isEmpty else { continue }
                open[open.count - 1].text += text
            case .end:
                guard let element = open.popLast() else { continue }
                if open.isEmpty { root = element } else { open[open.count - 1].children.append(element) }
            }
        }
        guard let root else { throw S3Error(.malformedXML) }
        return root
    }

    /// The first child of that name.
    package subscript(_ name: String) -> XMLElement? { children.first { $0.name == name } }

    /// All children of that name.
    package func all(_ name: String) -> [XMLElement] { children.filter { $0.name == name } }
}
