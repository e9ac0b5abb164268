import APIClient
import AsyncHTTPClient
import LoopbackServer

/// Runs `body` with a client of a server that answers as the handler says.
func withClient(
    _ credentials: APIClient.Credentials = .basic(user: "oscar", password: "secret"),
    path: String = "",
    answering handler: @escaping LoopbackServer.Handler,
    _ body: @Sendable @escaping (APIClient) async throws -> Void
) async throws {
    try await LoopbackServer.with(handler) { port in
        try await HTTPClient.withHTTPClient(configuration: .clusterRequests) { http in
            try await body(
                try APIClient(endpoint: "http://127.0.0.1:\(port)\(path)", credentials: credentials, httpClient: http)
            )
        }
    }
}

/// The code of the error that some work throws; `nil` where it throws none.
func code(_ work: () async throws(APIClientError) -> Void) async -> APIClientError.Code? {
    do {
        try await work()
        return nil
    } catch {
        return error.code
    }
}
