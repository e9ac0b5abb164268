package import SystemPackage

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
    /// replaces what is there, so a call whose outcome is unknown can be repeated. When the task is cancelled
    /// the transfer is broken off; what the provider then holds under the name is undefined until the next
    /// successful call.
    ///
    /// - Parameters:
    ///   - file: The file to read. It must not change meanwhile.
    ///   - name: The name of the result, relative, parts divided by slashes: `frames/0001.png`.
    ///   - path: The output's path in FDL, for example `bucket/folder`.
    /// - Throws: `ProviderError` with any of its codes.
    func put(file: FilePath, name: String, at path: String) async throws(ProviderError)

    /// Asks the provider whether it is there and knows the credentials. Changes nothing.
    ///
    /// - Throws: `ProviderError` with `unreachable`, `refused` or `invalidConfiguration`.
    func check() async throws(ProviderError)
}
