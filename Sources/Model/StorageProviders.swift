/// A kind of storage that can hold inputs and outputs (fdl.md section 3).
package enum ProviderKind: String, Sendable, Hashable, CaseIterable, Comparable {
    case minio, s3, onedata, webdav, rucio

    /// Whether paths in it are a bucket followed by a key.
    package var hasBuckets: Bool { self == .minio || self == .s3 }

    package static func < (left: ProviderKind, right: ProviderKind) -> Bool { left.rawValue < right.rawValue }
}

/// The name of a storage provider: a kind and an identifier, written `kind.identifier`.
package struct ProviderID: Sendable, Hashable, Comparable, CustomStringConvertible {
    package static let defaultName = "default"
    /// The cluster's own object store.
    package static let clusterStore = ProviderID(.minio)

    package let kind: ProviderKind
    package let name: String

    package init(_ kind: ProviderKind, _ name: String = ProviderID.defaultName) {
        self.kind = kind
        self.name = name
    }

    /// Parses `kind` or `kind.identifier`; the kind in any case.
    ///
    /// `nil` where there is no such kind or the name is empty.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let kind = ProviderKind(rawValue: first.lowercased()) else {
            return nil
        }
        guard parts.count == 2 else {
            self.init(kind)
            return
        }
        guard !parts[1].isEmpty else { return nil }
        self.init(kind, String(parts[1]))
    }

    package static func < (left: ProviderID, right: ProviderID) -> Bool {
        (left.kind, left.name) < (right.kind, right.name)
    }
    package var description: String { "\(kind.rawValue).\(name)" }
}

/// The storage providers that a service declares, by identifier, with their credentials.
package struct StorageProviders: Sendable, Hashable {
    /// An object store that speaks S3.
    package struct S3: Sendable, Hashable {
        /// `http://…` or `https://…`; empty for Amazon's own, found by region.
        package var endpoint: String
        package var region: String
        package var accessKey: String
        package var secretKey: String
        /// Whether the certificate of the endpoint is checked.
        package var verify: Bool
        package var link: LinkLimits

        package init(
            endpoint: String = "",
            region: String = "",
            accessKey: String = "",
            secretKey: String = "",
            verify: Bool = true,
            link: LinkLimits = LinkLimits()
        ) {
            self.endpoint = endpoint
            self.region = region
            self.accessKey = accessKey
            self.secretKey = secretKey
            self.verify = verify
            self.link = link
        }
    }

    /// A space of Onedata.
    package struct Onedata: Sendable, Hashable {
        package var host: String
        package var token: String
        package var space: String

        package init(host: String = "", token: String = "", space: String = "") {
            self.host = host
            self.token = token
            self.space = space
        }
    }

    /// A WebDAV server with basic authentication.
    package struct WebDAV: Sendable, Hashable {
        /// `host[:port]`, reached over HTTPS, or a whole URL that begins with `http://` or `https://`.
        package var hostname: String
        package var login: String
        package var password: String
        package var link: LinkLimits

        package init(
            hostname: String = "",
            login: String = "",
            password: String = "",
            link: LinkLimits = LinkLimits()
        ) {
            self.link = link
            self.hostname = hostname
            self.login = login
            self.password = password
        }
    }

    /// A Rucio instance with OpenID Connect.
    package struct Rucio: Sendable, Hashable {
        package var host: String
        package var authHost: String
        package var account: String
        package var storageElement: String
        package var refreshToken: String
        package var audience: String
        package var tokenEndpoint: String

        package init(
            host: String = "",
            authHost: String = "",
            account: String = "",
            storageElement: String = "",
            refreshToken: String = "",
            audience: String = "",
            tokenEndpoint: String = ""
        ) {
            self.host = host
            self.authHost = authHost
            self.account = account
            self.storageElement = storageElement
            self.refreshToken = refreshToken
            self.audience = audience
            self.tokenEndpoint = tokenEndpoint
        }
    }

    /// Object stores of other clusters; never the cluster's own, which needs no declaration.
    package var minio: [String: S3] = [:]
    package var s3: [String: S3] = [:]
    package var onedata: [String: Onedata] = [:]
    package var webdav: [String: WebDAV] = [:]
    package var rucio: [String: Rucio] = [:]

    package init() {}

    /// The object store of that name, where it is declared and speaks S3.
    package func objectStore(_ id: ProviderID) -> S3? {
        switch id.kind {
        case .minio: minio[id.name]
        case .s3: s3[id.name]
        case .onedata, .webdav, .rucio: nil
        }
    }

    /// Whether that provider is declared, or is the cluster's own store.
    package func contains(_ id: ProviderID) -> Bool { id == .clusterStore || all.contains(id) }

    /// What is declared, in order of kind and name.
    package var all: [ProviderID] {
        let ids =
            minio.keys.map { ProviderID(.minio, $0) } + s3.keys.map { ProviderID(.s3, $0) }
            + onedata.keys.map { ProviderID(.onedata, $0) } + webdav.keys.map { ProviderID(.webdav, $0) }
            + rucio.keys.map { ProviderID(.rucio, $0) }
        return ids.sorted()
    }

    package var isEmpty: Bool {
        minio.isEmpty && s3.isEmpty && onedata.isEmpty && webdav.isEmpty && rucio.isEmpty
    }
}
