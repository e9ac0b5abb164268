import HTTPTypes
import Hummingbird
import S3Wire

/// What web pages of other origins may do with an answer (the Fetch standard, "CORS protocol").
///
/// A bucket without rules of its own lets all pages in: requests carry a signature, never a cookie, so that the origin
/// of a page proves nothing (docs/decisions.md).
enum CrossOrigin {
    case anyone
    /// A bucket has rules; `nil` where they let the page do nothing, or no page asks.
    case ruled(CrossOriginConfiguration.Grant?)

    private static let exposed =
        "ETag, Content-Length, Content-Range, Content-Type, Last-Modified, Accept-Ranges, x-amz-request-id, "
        + "x-amz-mp-parts-count, x-amz-version-id, x-amz-delete-marker, x-amz-checksum-crc32, x-amz-checksum-crc32c, x-amz-checksum-crc64nvme, "
        + "x-amz-checksum-sha1, x-amz-checksum-sha256, x-amz-checksum-type"

    /// What answers to `anyone` carry.
    static let headersForAnyone = [
        ("Access-Control-Allow-Origin", "*"), ("Access-Control-Expose-Headers", exposed),
    ]

    /// - Parameter configuration: the rules of the bucket that the request is about, if it has any.
    init(_ configuration: CrossOriginConfiguration?, _ request: ReceivedRequest) {
        guard let configuration else {
            self = .anyone
            return
        }
        self = .ruled(request.header("origin").flatMap { configuration.grant(origin: $0, method: request.method) })
    }

    /// The answer to a preflight request, and what it is to be marked with.
    ///
    /// - Throws: `S3Error` with `badRequest`, `accessForbidden`.
    static func preflight(
        _ configuration: CrossOriginConfiguration?,
        _ request: ReceivedRequest
    ) throws(S3Error) -> (Response, CrossOrigin) {
        let wanted = request.header("access-control-request-headers")
        var response = Response(status: .ok)
        guard let configuration else {
            // A wildcard would not cover Authorization.
            response.headers.set("Access-Control-Allow-Headers", wanted ?? "*")
            response.headers.set("Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, DELETE")
            response.headers.set("Access-Control-Max-Age", "86400")
            return (response, .anyone)
        }
        guard let origin = request.header("origin") else {
            throw S3Error(.badRequest, "Insufficient information. Origin request header needed.")
        }
        guard let method = request.header("access-control-request-method") else {
            throw S3Error(.badRequest, "Invalid Access-Control-Request-Method: null")
        }
        let names = (wanted ?? "").split(separator: ",").map { $0.filter { $0 != " " } }
        guard let grant = configuration.grant(origin: origin, method: method, headers: names) else {
            throw S3Error(.accessForbidden, details: [("Method", method), ("ResourceType", "OBJECT")])
        }
        if !names.isEmpty {
            response.headers.set("Access-Control-Allow-Headers", names.joined(separator: ", ").lowercased())
        }
        if let age = grant.maximumAge { response.headers.set("Access-Control-Max-Age", String(age)) }
        return (response, .ruled(grant))
    }

    /// Adds what every answer carries.
    func mark(_ response: inout Response) {
        switch self {
        case .anyone:
            for (name, value) in Self.headersForAnyone { response.headers.set(name, value) }
        case .ruled(let grant):
            // The answer to another page, or to none, looks different: shared caches must not mix them up.
            response.headers.set("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")
            guard let grant else { return }
            response.headers.set("Access-Control-Allow-Origin", grant.origin)
            response.headers.set("Access-Control-Allow-Methods", grant.methods.joined(separator: ", "))
            if grant.origin != "*" { response.headers.set("Access-Control-Allow-Credentials", "true") }
            if !grant.exposedHeaders.isEmpty {
                response.headers.set("Access-Control-Expose-Headers", grant.exposedHeaders.joined(separator: ", "))
            }
        }
    }
}
