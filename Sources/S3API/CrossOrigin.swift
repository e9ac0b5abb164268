import HTTPTypes
import Hummingbird

/// Lets web pages of any origin talk to the store (the Fetch standard, "CORS protocol"): requests carry a
/// signature, never a cookie, so that the origin of a page proves nothing and need not be restricted.
enum CrossOrigin {
    private static let exposed =
        "ETag, Content-Length, Content-Range, Content-Type, Last-Modified, Accept-Ranges, x-amz-request-id, "
        + "x-amz-mp-parts-count, x-amz-version-id, x-amz-delete-marker, x-amz-checksum-crc32, x-amz-checksum-crc32c, x-amz-checksum-crc64nvme, "
        + "x-amz-checksum-sha1, x-amz-checksum-sha256, x-amz-checksum-type"

    /// The answer to a preflight request.
    static func preflight(_ headers: HTTPFields) -> Response {
        var response = Response(status: .ok)
        if let name = HTTPField.Name("Access-Control-Request-Headers") {
            // A wildcard would not cover Authorization.
            response.headers.set("Access-Control-Allow-Headers", headers[name] ?? "*")
        }
        response.headers.set("Access-Control-Allow-Methods", "GET, HEAD, PUT, POST, DELETE")
        response.headers.set("Access-Control-Max-Age", "86400")
        return response
    }

    /// Adds what every answer carries.
    static func mark(_ response: inout Response) {
        response.headers.set("Access-Control-Allow-Origin", "*")
        response.headers.set("Access-Control-Expose-Headers", exposed)
    }
}
