package import Model

/// What is known of a request; what is not known has no value.
package typealias PolicyFacts = [PolicyKey: String]

/// How a request proves who makes it.
package enum AuthenticationMethod: Sendable, Hashable {
    case none, header, query, legacyQuery, form

    fileprivate var facts: PolicyFacts {
        switch self {
        case .none: [:]
        case .header: [.authenticationType: "REST-HEADER", .signatureVersion: CanonicalRequest.algorithm]
        case .query: [.authenticationType: "REST-QUERY-STRING", .signatureVersion: CanonicalRequest.algorithm]
        case .legacyQuery: [.authenticationType: "REST-QUERY-STRING", .signatureVersion: "AWS"]
        case .form: [.authenticationType: "POST", .signatureVersion: CanonicalRequest.algorithm]
        }
    }
}

extension PolicyFacts {
    private static var headers: [(key: PolicyKey, name: String)] {
        [
            (.referer, "referer"), (.userAgent, "user-agent"), (.accessControl, "x-amz-acl"),
            (.contentDigest, "x-amz-content-sha256"), (.copySource, "x-amz-copy-source"),
            (.encryption, "x-amz-server-side-encryption"), (.metadataDirective, "x-amz-metadata-directive"),
            (.storageClass, "x-amz-storage-class"),
        ]
    }

    private static var listParameters: [(key: PolicyKey, name: String)] {
        [(.prefix, "prefix"), (.delimiter, "delimiter"), (.maximumKeys, "max-keys")]
    }

    /// - Parameters:
    ///   - isList: whether the request lists a bucket: its parameters count only then.
    ///   - sourceAddress: of the peer; empty where it has none.
    package init(
        of request: ReceivedRequest,
        by principal: Principal,
        method: AuthenticationMethod,
        isList: Bool,
        sourceAddress: String,
        now: Instant
    ) {
        self = method.facts
        self[.currentTime] = now.rfc3339()
        self[.epochTime] = String(now.seconds)
        // The server speaks plain HTTP; what stands before it may say anything.
        self[.secureTransport] = "false"
        if !sourceAddress.isEmpty { self[.sourceAddress] = sourceAddress }
        switch principal {
        case .anonymous: self[.principalType] = "Anonymous"
        case .administrator(let name):
            self[.principalType] = "Account"
            (self[.userID], self[.userName]) = (name, name)
        case .user, .service:
            self[.principalType] = "User"
            (self[.userID], self[.userName]) = (principal.name, principal.name)
        }
        for (key, name) in Self.headers { self[key] = request.header(name) }
        if isList { for (key, name) in Self.listParameters { self[key] = request.query[name] } }
        if let version = request.query["versionId"], !version.isEmpty { self[.versionID] = version }
    }
}
