import AsyncHTTPClient
import LoopbackServer
import Model
import S3Client
import S3Wire
import Testing

/// Runs `body` with a client of a server that answers as the handler says.
func withClient(
    partSize: Model.ByteCount = .mebibytes(64),
    answering handler: @escaping LoopbackServer.Handler,
    _ body: @Sendable @escaping (S3Client) async throws -> Void
) async throws {
    try await LoopbackServer.with(handler) { port in
        try await HTTPClient.withHTTPClient(configuration: .objectTransfers) { http in
            let client = S3Client(
                endpoint: try S3Endpoint("http://127.0.0.1:\(port)"), region: "eu-test-1",
                credentials: S3Credentials(accessKey: "AK", secretKey: "SK"), httpClient: http, partSize: partSize)
            try await body(client)
        }
    }
}

/// Runs `body` with a client of a store in memory.
func withClient(
    of store: FakeStore,
    partSize: Model.ByteCount = .mebibytes(64),
    _ body: @Sendable @escaping (S3Client) async throws -> Void
) async throws {
    try await withClient(partSize: partSize, answering: responder { store.answer($0) }, body)
}

/// The code of the error that some work throws; `nil` where it throws none.
func code(_ work: () async throws(S3ClientError) -> Void) async -> S3ClientError.Code? {
    do {
        try await work()
        return nil
    } catch {
        return error.code
    }
}
