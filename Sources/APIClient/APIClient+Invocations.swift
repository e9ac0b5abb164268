import AsyncHTTPClient
import FoundationEssentials
package import NIOCore
import NIOHTTP1

/// How the body of a synchronous run and its answer travel.
package enum InvocationForm: Sendable, Hashable {
    /// OSCAR's: the input as Base64 text; the output as Base64 text or as plain text, whichever the script made.
    case base64
    /// Apus's: bytes both ways (`Accept: application/octet-stream`).
    case plain
}

extension APIClient {
    /// The largest output of a run that is accepted.
    package static let runOutputLimit = 1 << 30

    /// Runs a service on an input and waits for its output.
    ///
    /// In the `base64` form an output that is valid Base64 is decoded, like oscar-cli does, although a script may
    /// have printed such a text itself; the `plain` form has no such doubt.
    ///
    /// - Throws: `functionFailed` with the cluster's answer where the script failed; `notFound`, `unauthorised`,
    ///   `unavailable` and the usual.
    package func run(
        _ service: String,
        input: ByteBuffer,
        form: InvocationForm = .base64
    ) async throws(APIClientError) -> ByteBuffer {
        var request = APIRequest(.POST, "run", service, subject: "service \"\(service)\"")
        request.patience = patience.run
        switch form {
        case .base64: request.body = .bytes(Self.base64(input))
        case .plain:
            request.headers = [("accept", "application/octet-stream"), ("content-type", "application/octet-stream")]
            request.body = .bytes(input)
        }
        do {
            let output = try await exchange(request) { try await $0.body.collect(upTo: Self.runOutputLimit) }
            return form == .plain ? output : Self.decodedIfBase64(output)
        } catch {
            // A failed script is answered with 500 and its output (oscar-api.md 5.2).
            guard error.status == 500 else { throw error }
            throw APIClientError(.functionFailed, error.message, status: 500, cause: error)
        }
    }

    /// Submits an event as an asynchronous job.
    ///
    /// - Parameter event: any event format, or a raw body (oscar-cli sends Base64 text).
    /// - Returns: the job's name, where the cluster tells it (Apus does, OSCAR does not).
    /// - Throws: `notFound`, `unauthorised` and the usual.
    @discardableResult
    package func submit(_ service: String, event: ByteBuffer) async throws(APIClientError) -> String? {
        var request = APIRequest(.POST, "job", service, subject: "service \"\(service)\"")
        request.body = .bytes(event)
        return try await exchange(request) { response in
            _ = try await response.body.collect(upTo: Self.documentLimit)
            return response.headers.first(name: Self.jobNameHeader)
        }
    }

    /// The header of `POST /job/{service}` answers that carries the job's name.
    static let jobNameHeader = "X-Job-Name"

    /// Standard Base64 (RFC 4648 section 4) of some bytes.
    package static func base64(_ bytes: ByteBuffer) -> ByteBuffer {
        ByteBuffer(bytes: Data(bytes.readableBytesView).base64EncodedData())
    }

    /// The decoded bytes where a text is standard Base64, white space at its end aside; otherwise the bytes as they
    /// are.
    package static func decodedIfBase64(_ bytes: ByteBuffer) -> ByteBuffer {
        var view = bytes.readableBytesView[...]
        while let last = view.last, last == 0x0A || last == 0x0D || last == 0x20 { view.removeLast() }
        guard !view.isEmpty, let decoded = Data(base64Encoded: Data(view)) else { return bytes }
        return ByteBuffer(bytes: decoded)
    }
}

extension APIClient {
    /// Whether the cluster takes and gives plain bytes in runs: Apus does, and is known by its own routes.
    ///
    /// - Throws: what makes the question impossible: `unreachable`, `unauthorised` and the like.
    package func speaksPlainBytes() async throws(APIClientError) -> Bool {
        do {
            _ = try await jobs(limit: 1)
            return true
        } catch {
            switch error.code {
            case .notFound, .malformedAnswer: return false
            default: throw error
            }
        }
    }
}
