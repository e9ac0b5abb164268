package import S3Client
package import SystemPackage

/// A file on its way to a provider.
package struct Transfer: Sendable {
    /// The file to read, which must not change meanwhile, nor between tries.
    package var file: FilePath
    /// The name of the result, relative, parts divided by slashes: `frames/0001.png`.
    package var name: String
    /// The output's path in FDL, for example `bucket/folder`.
    package var path: String
    /// Names the transfer to the other side, and how far it has come; `nil` where nothing is remembered of tries.
    package var record: UploadRecord?
    /// How fast it may go; `nil` for as fast as it can.
    package var pace: TransferPace?

    package init(
        file: FilePath,
        name: String,
        path: String,
        record: UploadRecord? = nil,
        pace: TransferPace? = nil
    ) {
        (self.file, self.name, self.path, self.record, self.pace) = (file, name, path, record, pace)
    }
}

/// A storage that takes results.
///
/// Making a provider does no I/O, so that a service can be created while its provider is away. Nothing is
/// tried twice inside: the caller retries, guided by `ProviderError.isTransient` and `retryAfter`.
package protocol Provider: Sendable {
    /// The provider as FDL names it, for example `minio.cloud`; for messages.
    var name: String { get }

    /// Stores a file, making the folders that lead to it where they are missing.
    ///
    /// The content streams from the file; memory does not depend on its size. Putting the same name again
    /// replaces what is there, so a call whose outcome is unknown can be repeated; where the provider can tell by the
    /// transfer's record that it arrived, nothing is sent again. When the task is cancelled the transfer is broken off;
    /// what the provider then holds under the name is undefined until the next successful call.
    ///
    /// - Throws: `ProviderError` with any of its codes.
    func put(_ transfer: Transfer) async throws(ProviderError)

    /// Makes the provider forget an upload in parts that will not be finished; one that it does not know is no error.
    ///
    /// - Throws: `ProviderError` with `unreachable`, `refused`, `invalidConfiguration` or `cancelled`.
    func abandon(_ upload: String, of name: String, at path: String) async throws(ProviderError)

    /// Asks the provider whether it is there and knows the credentials. Changes nothing.
    ///
    /// - Throws: `ProviderError` with `unreachable`, `refused` or `invalidConfiguration`.
    func check() async throws(ProviderError)
}

extension Provider {
    /// Stores a file at once, without anything remembered of tries.
    ///
    /// - Throws: as `put(_:)`.
    package func put(file: FilePath, name: String, at path: String) async throws(ProviderError) {
        try await put(Transfer(file: file, name: name, path: path))
    }
}
