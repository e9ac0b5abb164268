import AsyncHTTPClient
import S3Client
import _NIOFileSystem

extension ProviderError {
    /// What an error of the HTTP client, or of the file that it was sending, means.
    init(transferError error: any Error, provider: String, origin: String) {
        if let error = error as? ProviderError {
            self = error
        } else if let error = error as? FileSystemError {
            self.init(.local, "cannot read the result: \(error.message)", cause: error)
        } else if let error = error as? S3ClientError {
            // Of the file: nothing else here is of S3.
            self.init(.local, error.message, cause: error)
        } else if let error = error as? HTTPClientError {
            self.init(clientError: error, provider: provider, origin: origin)
        } else if error is CancellationError {
            self.init(.cancelled, "\(provider): the transfer was cancelled", cause: error)
        } else {
            self.init(.unreachable, "\(provider): cannot reach \(origin) (\(error.transferReason))", cause: error)
        }
    }

    private init(clientError error: HTTPClientError, provider: String, origin: String) {
        switch error {
        case .bodyLengthMismatch:
            self.init(.local, "the result changed while it was being sent", cause: error)
        case .cancelled:
            self.init(.cancelled, "\(provider): the transfer was cancelled", cause: error)
        case .invalidURL, .emptyHost:
            self.init(
                .invalidConfiguration,
                "\(provider): \(origin) is not an address: check the hostname",
                cause: error
            )
        case .connectTimeout, .deadlineExceeded, .readTimeout, .writeTimeout, .tlsHandshakeTimeout:
            self.init(.unreachable, "\(provider): \(origin) does not answer in time", cause: error)
        default:
            self.init(
                .unreachable,
                "\(provider): cannot reach \(origin) (\(error.description))",
                cause: error
            )
        }
    }
}
