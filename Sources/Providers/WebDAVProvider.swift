package import AsyncHTTPClient
package import Model
import Synchronization

/// A WebDAV server (RFC 4918) with Basic authentication: Apache, nginx, Nextcloud, dCache.
package struct WebDAVProvider: Provider {
    package let name: String

    let endpoint: WebDAVEndpoint
    let login: String
    let password: String
    let client: HTTPClient
    private let knownFolders = KnownFolders()

    /// The server's certificate must be valid; `http://` before the hostname is the way to do without
    /// encryption.
    ///
    /// - Parameters:
    ///   - name: The provider as FDL names it.
    ///   - settings: The entry under `storage_providers`.
    ///   - httpClient: Shared and shut down by the caller; made with
    ///     `HTTPClient.Configuration.objectTransfers`.
    /// - Throws: `ProviderError` with `invalidConfiguration` for a hostname that is none and for empty
    ///   credentials.
    package init(name: String, settings: StorageProviders.WebDAV, httpClient: HTTPClient)
        throws(ProviderError)
    {
        try ProviderError.require(settings.hostname, "hostname", of: name)
        try ProviderError.require(settings.login, "login", of: name)
        try ProviderError.require(settings.password, "password", of: name)
        self.name = name
        login = settings.login
        password = settings.password
        endpoint = try WebDAVEndpoint(settings.hostname)
        client = httpClient
    }

    package func put(_ transfer: Transfer) async throws(ProviderError) {
        let target = try ResultPath(path: transfer.path, name: transfer.name)
        try await ensureFolder(target.folder)
        var answer = try await upload(transfer.file, to: target, pace: transfer.pace)
        if answer.isMissingFolder, knownFolders.remove(target.folder) {
            // Somebody removed the folder since it was last seen.
            try await ensureFolder(target.folder)
            answer = try await upload(transfer.file, to: target, pace: transfer.pace)
        }
        guard answer.isSuccess else { throw failure(answer, storing: transfer.name) }
        knownFolders.insert(target.folder)
    }

    /// Nothing to do: what was broken off lies under its name until the next try.
    package func abandon(_ upload: String, of name: String, at path: String) async throws(ProviderError) {}

    package func check() async throws(ProviderError) {
        let answer = try await send(.findProperties, [])
        // Some servers show nobody their root but answer below it, so 404 and 403 tell nothing against the
        // credentials.
        guard !answer.isSuccess, answer.status != 404, answer.status != 403 else { return }
        guard answer.status != 405, answer.status != 501 else {
            throw ProviderError(
                .invalidConfiguration,
                "\(self.name): \(endpoint.origin) answers, but is no WebDAV server "
                    + "(PROPFIND gives \(answer.status)): check hostname"
            )
        }
        throw failure(answer, storing: nil)
    }

    /// Makes the folder and what leads to it, from below, where they are not known to be there.
    ///
    /// The server's word on a folder that is already there differs (405, 301, 409, even 403 where the user
    /// may write but not make folders), so only the PUT that follows decides.
    private func ensureFolder(_ parts: [String]) async throws(ProviderError) {
        guard !parts.isEmpty, !knownFolders.contains(parts) else { return }
        var missing: [[String]] = []
        var folder = parts
        while !folder.isEmpty {
            let answer = try await send(.makeCollection, folder)
            if answer.isRefusal { throw failure(answer, storing: nil) }
            guard answer.isMissingFolder else { break }
            missing.append(folder)
            folder.removeLast()
        }
        for folder in missing.reversed() { _ = try await send(.makeCollection, folder) }
    }
}

/// Folders that were there when last seen, so that not each PUT asks for them again.
private final class KnownFolders: Sendable {
    /// How many to remember.
    private static let limit = 1000

    private let folders = Mutex<Set<[String]>>([])

    func contains(_ folder: [String]) -> Bool { folders.withLock { $0.contains(folder) } }

    func insert(_ folder: [String]) {
        folders.withLock { folders in
            if folders.count >= Self.limit { folders.removeAll() }
            folders.insert(folder)
        }
    }

    /// Forgets the folder; whether it was known.
    func remove(_ folder: [String]) -> Bool { folders.withLock { $0.remove(folder) != nil } }
}
