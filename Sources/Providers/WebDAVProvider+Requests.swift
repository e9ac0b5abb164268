import AsyncHTTPClient
import Model
import NIOCore
import NIOHTTP1
import S3Client
import S3Wire
import SystemPackage
import _NIOFileSystem

extension WebDAVProvider {
    /// What a server answered: all that matters of it.
    struct Answer: Sendable {
        let status: UInt
        let location: String?
        let retryAfter: Duration?

        var isSuccess: Bool { (200..<300).contains(status) }
        /// Nobody with these credentials gets further.
        var isRefusal: Bool { status == 401 }
        /// The folder around the thing is not there: 409 (RFC 4918, sections 9.3.1 and 9.7.1), or 404 as
        /// rclone says it.
        var isMissingFolder: Bool { status == 409 || status == 404 }
        /// The same request belongs elsewhere.
        var isRedirect: Bool { [301, 302, 307, 308].contains(status) && location != nil }
    }

    /// A method without a body.
    enum Method: String {
        case makeCollection = "MKCOL"
        case findProperties = "PROPFIND"
    }

    /// dCache needs one; a circle ends here.
    private static let maximumRedirects = 5
    /// As long as a request without content may take.
    private static let patience = TimeAmount.seconds(60)

    /// Sends a request without a body.
    ///
    /// Redirects are not followed: on MKCOL they mean that the folder is there.
    func send(_ method: Method, _ parts: [String]) async throws(ProviderError) -> Answer {
        var request = HTTPClientRequest(url: endpoint.url(parts, isFolder: true))
        request.method = .RAW(value: method.rawValue)
        if method == .findProperties { request.headers.add(name: "Depth", value: "0") }
        return try await perform(request, sendsCredentials: true, deadline: .now() + Self.patience)
    }

    /// Streams the file to its place, and again to where the server sends it.
    func upload(
        _ file: FilePath,
        to target: ResultPath,
        pace: TransferPace?
    ) async throws(ProviderError) -> Answer {
        do {
            return try await FileSystem.shared.withFileHandle(forReadingAt: file) { handle in
                let info = try await handle.info()
                guard info.type == .regular else {
                    throw ProviderError(.local, "\(file) is not a plain file, so it cannot be stored")
                }
                let whole = FileRange(handle: handle, path: file, range: 0..<info.size, pace: pace)
                return try await put(whole, to: target)
            }
        } catch let error as ProviderError {
            throw error
        } catch let error as FileSystemError {
            throw ProviderError(.local, "cannot read \(file): \(error.message)", cause: error)
        } catch is CancellationError {
            throw ProviderError(.cancelled, "\(name): the transfer was cancelled")
        } catch {
            throw ProviderError(.local, "cannot read \(file): \(error)", cause: error)
        }
    }

    private func put(
        _ file: FileRange,
        to target: ResultPath
    ) async throws(ProviderError) -> Answer {
        var place = WebDAVLocation(url: endpoint.url(target.parts), origin: endpoint.origin)
        for _ in 0...Self.maximumRedirects {
            var request = HTTPClientRequest(url: place.url)
            request.method = .PUT
            request.headers.add(name: "Content-Type", value: "application/octet-stream")
            let size = Int64(file.range.count)
            request.body = size == 0 ? .bytes(ByteBuffer()) : .stream(file, length: .known(size))
            // Another origin gets no password: what it needs stands in the location it was reached by.
            let isHome = place.origin == endpoint.origin
            let answer = try await perform(request, sendsCredentials: isHome, deadline: .distantFuture)
            guard answer.isRedirect, let location = answer.location else { return answer }
            place = try place.following(location, provider: name)
        }
        throw ProviderError(
            .refused,
            "\(name): \(endpoint.origin) redirects more than \(Self.maximumRedirects) times"
        )
    }

    private func perform(
        _ request: HTTPClientRequest,
        sendsCredentials: Bool,
        deadline: NIODeadline
    ) async throws(ProviderError) -> Answer {
        var request = request
        if sendsCredentials { request.setBasicAuth(username: login, password: password) }
        request.headers.add(name: "User-Agent", value: "apus")
        for (name, value) in TraceContext.outgoing { request.headers.add(name: name, value: value) }
        do {
            let response = try await client.execute(request, deadline: deadline)
            let answer = Answer(
                status: response.status.code,
                location: response.headers.first(name: "Location"),
                retryAfter: response.headers.first(name: "Retry-After").flatMap {
                    RetryAfter.parse($0, at: S3Client.systemTime())
                }
            )
            // Reading the rest lets the connection serve again; where it is too long or breaks, only the
            // connection is lost.
            _ = try? await response.body.collect(upTo: 65_536)
            return answer
        } catch {
            throw ProviderError(transferError: error, provider: name, origin: endpoint.origin)
        }
    }

    /// What an unsuccessful answer means.
    ///
    /// `result` is the name of what was to be stored; `nil` where the request was about the server itself.
    func failure(_ answer: Answer, storing result: String?) -> ProviderError {
        let subject = "\(name): \(endpoint.origin)"
        let what = result.map { "does not take \"\($0)\"" } ?? "refuses"
        switch answer.status {
        case 401:
            return ProviderError(
                .refused,
                "\(subject) refuses the credentials (401): check login and password"
            )
        case 403:
            return ProviderError(
                .refused,
                "\(subject) \(what) (403): the user \"\(login)\" may not write there"
            )
        case 507:
            return ProviderError(
                .full,
                "\(subject) has no space left (507 Insufficient Storage)",
                retryAfter: answer.retryAfter
            )
        case 408, 423, 425, 429, 500...:
            return ProviderError(
                .unreachable,
                "\(subject) cannot take files now (HTTP status \(answer.status))",
                retryAfter: answer.retryAfter
            )
        default:
            return ProviderError(.refused, "\(subject) \(what) (HTTP status \(answer.status))")
        }
    }
}
