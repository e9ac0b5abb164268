import HTTPTypes
import Hummingbird
import NIOCore
import S3Wire

extension HTTPFields {
    /// Sets a field by its name, where that is a valid one; a value's line breaks become spaces.
    mutating func set(_ name: String, _ value: String) {
        guard let name = HTTPField.Name(name) else { return }
        self[name] = value
    }
}

extension Response {
    /// An answer with a document.
    static func document(_ document: some ResultDocument, headers: HTTPFields = [:]) -> Response {
        .xml(document.xml, status: .ok, headers: headers)
    }

    /// An answer with a finished document.
    static func xml(_ bytes: [UInt8], status: HTTPResponse.Status, headers: HTTPFields = [:]) -> Response {
        var headers = headers
        headers[.contentType] = "application/xml"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// An answer of headers only, where a length would be wrong: 204 and 304.
    static func bodiless(_ status: HTTPResponse.Status, headers: HTTPFields = [:]) -> Response {
        var response = Response(status: status, headers: headers)
        response.headers[.contentLength] = nil
        return response
    }
}
