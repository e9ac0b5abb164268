/// What a synchronous run answers with (supervisor.md section 8).
package enum SynchronousResponse: Sendable, Hashable {
    /// What the script wrote.
    case scriptOutput
    /// The one file of the output directory.
    case file
    /// A ZIP archive of the output directory's files.
    case archive

    /// Events of storages answer with the script's output, since their results go to storages; other input
    /// answers with the results themselves.
    package init(to event: InvocationEvent, resultCount: Int) {
        switch event.innermost {
        case .unknown: self = resultCount == 0 ? .scriptOutput : resultCount == 1 ? .file : .archive
        case .gateway, .dCache, .rucio, .delegated, .object, .onedata: self = .scriptOutput
        }
    }

    /// Whether the answer goes out in base 64 to clients that did not ask for plain bytes.
    package var isBase64: Bool { self != .scriptOutput }
}
