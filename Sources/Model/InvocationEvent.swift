/// What triggers an invocation, told apart by the shape of its bytes (supervisor.md section 4).
package indirect enum InvocationEvent: Sendable, Hashable {
    /// A request through Amazon's API Gateway: its query's parameters, and what its body is.
    case gateway(query: [String: String], body: InvocationEvent)
    /// A file that appeared in dCache.
    case dCache(fileName: String)
    /// A data set that Rucio has moved.
    case rucio(scope: String, name: String)
    /// Work from another cluster, and the provider that it says the input lies in.
    case delegated(provider: String?, event: InvocationEvent)
    /// An object that was created in an object store.
    case object(ObjectReference)
    /// A file that was created in Onedata.
    case onedata(OnedataReference)
    /// Anything else: the bytes are the input.
    case unknown(Payload)

    /// An object that an event names.
    package struct ObjectReference: Sendable, Hashable {
        package enum Source: String, Sendable, Hashable {
            case minio = "minio:s3"
            case s3 = "aws:s3"
        }

        package var source: Source
        package var bucket: BucketName
        package var key: ObjectKey
        /// As the event wrote it; empty where it did not.
        package var time: String
        /// The access key that made the object; empty where the event does not say.
        package var principal: String
        /// The event, for the function's environment.
        package var document: JSONValue

        /// The name of the file that the function sees.
        package var fileName: String { String(key.baseName) }
    }

    /// A file of Onedata that an event names.
    package struct OnedataReference: Sendable, Hashable {
        /// Where the file lies: `/space/folder/file`.
        package var key: String
        package var fileName: String
        package var time: String
        package var document: JSONValue
    }

    /// Bytes that are no event of a storage.
    package enum Payload: Sendable, Hashable {
        case empty
        /// An object, in the spelling in which it came.
        case jsonObject([UInt8])
        /// An array, string or number, in the spelling in which it came.
        case json([UInt8])
        /// What was sent in base 64, decoded.
        case decoded([UInt8])
        /// What is neither JSON nor base 64, as it came.
        case raw([UInt8])

        /// What goes into the input file.
        package var bytes: [UInt8] {
            switch self {
            case .empty: []
            case .jsonObject(let bytes), .json(let bytes), .decoded(let bytes), .raw(let bytes): bytes
            }
        }
    }

    /// How many events may be wrapped in one another before the innermost is taken as it is.
    package static let maximumNesting = 8

    /// Events of storages are small; what is larger is looked at no further than to find out whether it is
    /// base 64.
    package static let maximumEventSize = 4 << 20

    /// The event inside of all wrappings.
    package var innermost: InvocationEvent {
        switch self {
        case .gateway(_, let body): body.innermost
        case .delegated(_, let event): event.innermost
        case .dCache, .rucio, .object, .onedata, .unknown: self
        }
    }

    /// The provider that the outermost delegation names.
    package var delegatedProvider: String? {
        switch self {
        case .gateway(_, let body): body.delegatedProvider
        case .delegated(let provider, let event): provider ?? event.delegatedProvider
        case .dCache, .rucio, .object, .onedata, .unknown: nil
        }
    }

    /// The parameters of the query, where the event came through a gateway.
    package var queryParameters: [String: String] {
        switch self {
        case .gateway(let query, let body): body.queryParameters.merging(query) { _, outer in outer }
        case .delegated(_, let event): event.queryParameters
        case .dCache, .rucio, .object, .onedata, .unknown: [:]
        }
    }

    /// What the variable `EVENT` holds for an event of a storage, as Python's `json.dumps` spells it; `nil`
    /// for others, whose bytes stay as they came.
    package var environmentText: String? {
        switch innermost {
        case .object(let object): object.document.pythonText()
        case .onedata(let file): file.document.pythonText()
        case .gateway, .dCache, .rucio, .delegated, .unknown: nil
        }
    }

    /// Where a dCache event's file lies: the path of the service's input from `webdav.dcache`, joined with
    /// the name.
    package static func dCachePath(fileName: String, inputs: [StorageIO]) -> String? {
        guard let input = inputs.first(where: { $0.provider == ProviderID(.webdav, "dcache") }) else {
            return nil
        }
        return "\(input.path)/\(fileName)"
    }
}
