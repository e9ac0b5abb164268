import APIClient
import AsyncHTTPClient
import LoopbackServer
import NIOCore
import NIOHTTP1
import Synchronization
import Testing

struct ExchangeTests {
    @Test(arguments: [
        ("http://host:8080", "http://host:8080"), ("https://host/", "https://host"),
        ("http://host/oscar//", "http://host/oscar"),
    ])
    func acceptsEndpoints(text: String, expected: String) throws {
        #expect(try APIClient.checkedEndpoint(text) == expected)
    }

    @Test(arguments: [
        "", "host", "ftp://host", "http://", "https:///x", "http://a b", "http://user:pw@host", "http://host?x=1",
        "http://host#f", "http://:80", "file:///etc/passwd", "http://höst",
    ])
    func refusesEndpoints(text: String) {
        #expect { try APIClient.checkedEndpoint(text) } throws: { ($0 as? APIClientError)?.code == .invalidRequest }
    }

    @Test func signsIn() async throws {
        let seen = Mutex<[String?]>([])
        let handler: LoopbackServer.Handler = { request in
            seen.withLock { $0.append(request.headers.first(name: "authorization")) }
            return LoopbackResponse(text: "{}")
        }
        try await withClient(answering: handler) { client in _ = try await client.info() }
        try await withClient(.bearer("token"), answering: handler) { client in _ = try await client.info() }
        try await withClient(.none, answering: handler) { client in _ = try await client.info() }
        #expect(seen.withLock { $0 } == ["Basic b3NjYXI6c2VjcmV0", "Bearer token", nil])
    }

    @Test(arguments: [
        ("svc", "svc"), ("a/b", "a%2Fb"), ("..", "%2E%2E"), ("ä b+c", "%C3%A4%20b%2Bc"), ("x?y#z", "x%3Fy%23z"),
    ])
    func encodesNamesInPaths(name: String, encoded: String) async throws {
        let seen = Mutex("")
        try await withClient(
            path: "/base",
            answering: responder { request in
                seen.withLock { $0 = request.target }
                return LoopbackResponse(text: "{}")
            }
        ) { client in _ = try await client.service(name) }
        #expect(seen.withLock { $0 } == "/base/system/services/\(encoded)")
    }

    @Test(arguments: [
        (HTTPResponseStatus.badRequest, APIClientError.Code.invalid), (.unauthorized, .unauthorised),
        (.forbidden, .forbidden), (.notFound, .notFound), (.conflict, .conflict), (.payloadTooLarge, .invalid),
        (.tooManyRequests, .unavailable), (.internalServerError, .server), (.notImplemented, .server),
        (.badGateway, .unavailable), (.serviceUnavailable, .unavailable), (.gatewayTimeout, .unavailable),
        (.movedPermanently, .malformedAnswer),
    ])
    func mapsStatuses(status: HTTPResponseStatus, expected: APIClientError.Code) async throws {
        try await withClient(answering: responder { _ in LoopbackResponse(status, text: " why not\n") }) { client in
            do throws(APIClientError) {
                _ = try await client.services()
                Issue.record("must throw")
            } catch {
                #expect(error.code == expected)
                #expect(error.status == Int(status.code))
                #expect(!error.message.isEmpty)
            }
        }
    }

    @Test(arguments: [
        ("{\"error\":\"inner\"}", "inner"), ("plain text\n", "plain text"), ("{not json", "{not json"),
        ("{\"other\":1}", "{\"other\":1}"),
    ])
    func findsTheWordsOfAnError(body: String, words: String) async throws {
        try await withClient(answering: responder { _ in LoopbackResponse(.badRequest, text: body) }) { client in
            do throws(APIClientError) {
                _ = try await client.info()
                Issue.record("must throw")
            } catch {
                #expect(error.message == words)
            }
        }
    }

    @Test(arguments: ["", "null null", "<html/>", "{", String(repeating: "[", count: 100_000)])
    func refusesMalformedDocuments(text: String) async throws {
        try await withClient(answering: responder { _ in LoopbackResponse(text: text) }) { client in
            #expect(await code { () throws(APIClientError) in _ = try await client.info() } == .malformedAnswer)
        }
    }

    @Test func tellsThatNobodyAnswers() async throws {
        let port = try await LoopbackServer.closedPort()
        try await HTTPClient.withHTTPClient(configuration: .clusterRequests) { http in
            let client = try APIClient(endpoint: "http://127.0.0.1:\(port)", credentials: .none, httpClient: http)
            #expect(await code { () throws(APIClientError) in _ = try await client.health() } == .unreachable)
        }
    }

    @Test func doesNotWaitForEver() async throws {
        // Never yields: there is no answer until the server is stopped.
        let (silence, _) = AsyncStream.makeStream(of: Void.self)
        try await LoopbackServer.with(
            responder { _ in
                for await _ in silence { break }
                return LoopbackResponse()
            }
        ) { port in
            try await HTTPClient.withHTTPClient(configuration: .clusterRequests) { http in
                let client = try APIClient(
                    endpoint: "http://127.0.0.1:\(port)", credentials: .none,
                    patience: .init(answer: .milliseconds(50)), httpClient: http)
                #expect(await code { () throws(APIClientError) in _ = try await client.health() } == .unreachable)
            }
        }
    }

    @Test func keepsPasswordsOutOfErrors() async throws {
        try await withClient(answering: responder { _ in LoopbackResponse(.unauthorized) }) { client in
            do throws(APIClientError) { _ = try await client.info() } catch {
                #expect(!error.message.contains("secret"))
            }
        }
    }
}
