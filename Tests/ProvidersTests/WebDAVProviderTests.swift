import AsyncHTTPClient
import LoopbackServer
import Model
import NIOCore
import NIOHTTP1
import Synchronization
import SystemPackage
import Testing

@testable import Providers

/// What servers do that the real ones of the contract suite do not.
@Suite(.timeLimit(.minutes(1))) struct WebDAVProviderTests {
    /// Keeps the requests that a server sees.
    private final class Log: Sendable {
        private let requests = Mutex<[LoopbackRequest]>([])

        var all: [LoopbackRequest] { requests.withLock { $0 } }
        /// For example `PUT /a/b`.
        var lines: [String] { all.map { "\($0.method.rawValue) \($0.target)" } }

        func add(_ request: LoopbackRequest) { requests.withLock { $0.append(request) } }
    }

    private func provider(_ hostname: String, _ client: HTTPClient) throws -> WebDAVProvider {
        try WebDAVProvider(
            name: "webdav.test",
            settings: .init(hostname: hostname, login: "user", password: "pass"),
            httpClient: client
        )
    }

    /// Puts one small file, named `x` at `a/b`, on a server that answers as told; the requests, and what the
    /// provider threw.
    private func put(
        basePath: String = "",
        times: Int = 1,
        _ answer: @escaping @Sendable (LoopbackRequest) -> LoopbackResponse
    ) async throws -> (log: [LoopbackRequest], lines: [String], error: ProviderError?) {
        let log = Log()
        let handler: LoopbackServer.Handler = { request in
            log.add(request)
            return answer(request)
        }
        let error: ProviderError? = try await LoopbackServer.with(handler) { port in
            try await withTemporaryDirectory { directory in
                let file = directory.appending("f")
                try write(Array("content".utf8), to: file)
                return try await withHTTPClient { client in
                    let provider = try provider("http://127.0.0.1:\(port)\(basePath)", client)
                    do throws(ProviderError) {
                        for _ in 0..<times { try await provider.put(file: file, name: "x", at: "a/b") }
                        return nil
                    } catch {
                        return error
                    }
                }
            }
        }
        return (log.all, log.lines, error)
    }

    @Test func asksForTheFolderOnceAndSendsTheCredentials() async throws {
        let result = try await put(basePath: "/dav", times: 2) {
            LoopbackResponse($0.method == .PUT ? .created : .methodNotAllowed)
        }
        #expect(result.error == nil)
        #expect(result.lines == ["MKCOL /dav/a/b/", "PUT /dav/a/b/x", "PUT /dav/a/b/x"])
        // `printf user:pass | base64`
        #expect(result.log.allSatisfy { $0.headers["Authorization"] == ["Basic dXNlcjpwYXNz"] })
        #expect(result.log[1].headers["Content-Length"] == ["7"])
        #expect(result.log[1].text == "content")
    }

    @Test func makesFoldersFromBelow() async throws {
        let made = Mutex<Set<String>>(["/"])
        let result = try await put { request in
            let path = String(request.path)
            let parent = path.split(separator: "/").dropLast().map { "/\($0)" }.joined() + "/"
            guard made.withLock({ $0.contains(parent) }) else { return LoopbackResponse(.conflict) }
            if request.method != .PUT { made.withLock { _ = $0.insert(path) } }
            return LoopbackResponse(.created)
        }
        #expect(result.error == nil)
        #expect(result.lines == ["MKCOL /a/b/", "MKCOL /a/", "MKCOL /a/b/", "PUT /a/b/x"])
    }

    /// Whatever a server says to MKCOL, only the PUT decides.
    @Test(arguments: [301, 403, 405, 423, 500])
    func toleratesAnswersToMKCOL(status: Int) async throws {
        let result = try await put { request in
            LoopbackResponse(request.method == .PUT ? .noContent : HTTPResponseStatus(statusCode: status))
        }
        #expect(result.error == nil)
    }

    @Test func makesAFolderAgainThatSomebodyRemoved() async throws {
        let puts = Mutex(0)
        let result = try await put(times: 2) { request in
            guard request.method == .PUT else { return LoopbackResponse(.created) }
            return LoopbackResponse(
                puts.withLock {
                    $0 += 1
                    return $0
                } == 2 ? .conflict : .created
            )
        }
        #expect(result.error == nil)
        #expect(result.lines == ["MKCOL /a/b/", "PUT /a/b/x", "PUT /a/b/x", "MKCOL /a/b/", "PUT /a/b/x"])
    }

    @Test(arguments: [301, 302, 307, 308])
    func followsRedirectsOfPUT(status: Int) async throws {
        let result = try await put { request in
            guard request.method == .PUT, request.path == "/a/b/x" else { return LoopbackResponse(.created) }
            return LoopbackResponse(
                HTTPResponseStatus(statusCode: status),
                headers: ["Location": "/pool/1?t=%2F"]
            )
        }
        #expect(result.error == nil)
        let last = try #require(result.log.last)
        #expect(last.method == .PUT && last.target == "/pool/1?t=%2F" && last.text == "content")
        #expect(last.headers.contains(name: "Authorization"))
    }

    @Test func tellsAnotherServerNoPassword() async throws {
        let pool = Log()
        let keep: LoopbackServer.Handler = { request in
            pool.add(request)
            return LoopbackResponse(.created)
        }
        try await LoopbackServer.with(keep) { port in
            let result = try await put { request in
                guard request.method == .PUT else { return LoopbackResponse(.created) }
                return LoopbackResponse(
                    .temporaryRedirect,
                    headers: ["Location": "http://127.0.0.1:\(port)/pool/x?token=1"]
                )
            }
            #expect(result.error == nil)
        }
        #expect(pool.lines == ["PUT /pool/x?token=1"])
        #expect(pool.all.first?.text == "content")
        #expect(pool.all.first?.headers.contains(name: "Authorization") == false)
    }

    @Test func endsACircleOfRedirects() async throws {
        let result = try await put { _ in
            LoopbackResponse(.temporaryRedirect, headers: ["Location": "/a/b/x"])
        }
        #expect(result.error?.code == .refused)
        #expect(result.lines.filter { $0.hasPrefix("PUT") }.count == 6)
    }

    @Test(arguments: [
        (303, ProviderError.Code.refused), (400, .refused), (401, .refused), (403, .refused), (404, .refused),
        (405, .refused),
        (409, .refused), (413, .refused), (415, .refused), (408, .unreachable), (423, .unreachable),
        (429, .unreachable),
        (500, .unreachable), (502, .unreachable), (503, .unreachable), (504, .unreachable), (507, .full),
    ])
    func tellsFailuresApart(status: Int, code: ProviderError.Code) async throws {
        let result = try await put { request in
            LoopbackResponse(request.method == .PUT ? HTTPResponseStatus(statusCode: status) : .created)
        }
        #expect(result.error?.code == code)
        #expect(result.error?.message.hasPrefix("webdav.test: ") == true)
        #expect(result.error?.message.contains("\(status)") == true)
    }

    @Test(arguments: [
        ("120", Duration.seconds(120)), ("0", .zero), ("99999999999", .seconds(3600)), ("-1", nil),
        ("soon", nil),
        ("Fri, 31 Dec 1999 23:59:59 GMT", .zero), ("", nil), ("99999999999999999999999", nil),
    ])
    func waitsAsLongAsTheServerAsks(header: String, wait: Duration?) async throws {
        let result = try await put { request in
            guard request.method == .PUT else { return LoopbackResponse(.created) }
            return LoopbackResponse(.serviceUnavailable, headers: ["Retry-After": header])
        }
        #expect(result.error?.retryAfter == wait)
    }

    @Test func takesABrokenConnectionForSilence() async throws {
        let result = try await put { request in
            LoopbackResponse(
                .created,
                body: .truncated(ByteBuffer(), length: request.method == .PUT ? 0 : 100)
            )
        }
        #expect(result.error == nil || result.error?.code == .unreachable)
    }

    @Test(arguments: [
        (207, true), (200, true), (403, true), (404, true), (401, false), (405, false), (501, false),
        (503, false),
    ])
    func checksTheServer(status: Int, isGood: Bool) async throws {
        let handler: LoopbackServer.Handler = { request in
            LoopbackResponse(
                request.method == .PROPFIND ? HTTPResponseStatus(statusCode: status) : .badRequest
            )
        }
        try await LoopbackServer.with(handler) { port in
            try await withHTTPClient { client in
                let provider = try provider("http://127.0.0.1:\(port)", client)
                let error: ProviderError?
                do {
                    try await provider.check()
                    error = nil
                } catch {
                    #expect(error is ProviderError)
                    #expect(!isGood)
                    return
                }
                #expect(error == nil && isGood)
            }
        }
    }

    @Test func breaksOffWhenCancelled() async throws {
        let (arrived, arrival) = AsyncStream<Void>.makeStream(bufferingPolicy: .bufferingOldest(1))
        let handler: LoopbackServer.Handler = { _ in
            arrival.yield()
            return LoopbackResponse(.ok, body: .stream(AsyncStream { _ in }))
        }
        try await LoopbackServer.with(handler) { port in
            try await withTemporaryDirectory { directory in
                let file = directory.appending("f")
                try write([1, 2, 3], to: file)
                try await withHTTPClient { client in
                    let provider = try provider("http://127.0.0.1:\(port)", client)
                    await withTaskGroup(of: Void.self) { group in
                        group.addTask {
                            let error = await failure { () async throws(ProviderError) in
                                try await provider.put(file: file, name: "x", at: "a")
                            }
                            #expect(error?.code == .cancelled)
                        }
                        for await _ in arrived { break }
                        group.cancelAll()
                    }
                }
            }
        }
    }
}
