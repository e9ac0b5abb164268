import AsyncHTTPClient
package import Model
package import NIOCore
import NIOHTTP1

/// An image that a cluster keeps: one element of `GET /apus/v1/images`.
package struct ImageSummary: Sendable, Hashable {
    package var name: String
    package var digest: String
    package var size: ByteCount
    /// RFC 3339; empty where the cluster did not say.
    package var created: String
    /// The whole object as the cluster sent it.
    package var json: JSONValue

    /// Reads one image object; absent members are empty.
    package init(_ json: JSONValue) {
        name = json["name"]?.stringValue ?? ""
        digest = json["digest"]?.stringValue ?? ""
        size = ByteCount(json["size_bytes"]?.integerValue ?? 0)
        created = json["created"]?.stringValue ?? ""
        self.json = json
    }
}

extension APIClient {
    /// The images that the cluster keeps.
    ///
    /// - Throws: `notFound` where the cluster is not Apus; the usual.
    package func images() async throws(APIClientError) -> [ImageSummary] {
        let answer = try await document(APIRequest(.GET, "apus", "v1", "images", subject: "the list of images"))
        return try elements(answer, of: "images").map { ImageSummary($0) }
    }

    /// Lets the cluster fetch an image.
    ///
    /// - Parameters:
    ///   - source: `docker://…`, or a path on the cluster's machine.
    ///   - name: the name to keep it under; `nil` leaves it to the cluster.
    ///   - progress: called with each line that the cluster sends on its way.
    /// - Returns: the image's digest.
    /// - Throws: `invalid` or `server` with the cluster's words; the usual.
    package func addImage(
        source: String,
        name: String?,
        progress: (String) async throws -> Void
    ) async throws(APIClientError) -> String {
        var request = APIRequest(.POST, "apus", "v1", "images", subject: "image \"\(source)\"")
        var body = JSONObject()
        body["source"] = .string(source)
        if let name { body["name"] = .string(name) }
        request.headers = [("content-type", "application/json")]
        request.body = .bytes(ByteBuffer(bytes: JSONValue.object(body).bytes()))
        return try await importImage(request, progress)
    }

    /// Sends an image archive to the cluster, streamed.
    ///
    /// - Parameters:
    ///   - archive: the archive's bytes: OCI or docker archive, or a root file system tarball.
    ///   - length: how many bytes that is; `nil` where unknown.
    /// - Returns: the image's digest.
    /// - Throws: as `addImage`.
    package func uploadImage(
        name: String,
        archive: some AsyncSequence<ByteBuffer, any Error> & Sendable,
        length: Int64?,
        progress: (String) async throws -> Void
    ) async throws(APIClientError) -> String {
        var request = APIRequest(.PUT, "apus", "v1", "images", name, subject: "image \"\(name)\"")
        request.headers = [("content-type", "application/octet-stream")]
        request.body = .stream(archive, length: length.map { .known($0) } ?? .unknown)
        return try await importImage(request, progress)
    }

    /// Removes an image.
    ///
    /// - Throws: `notFound`; `conflict` where a service uses it; the usual.
    package func deleteImage(_ name: String) async throws(APIClientError) {
        try await send(APIRequest(.DELETE, "apus", "v1", "images", name, subject: "image \"\(name)\""))
    }

    private func importImage(
        _ unhurried: APIRequest,
        _ progress: (String) async throws -> Void
    ) async throws(APIClientError) -> String {
        var request = unhurried
        request.patience = patience.image
        return try await exchange(request) { response in
            var lines = LineSplitter()
            var last = ""
            for try await chunk in response.body {
                for line in lines.append(chunk.readableBytesView) {
                    if !last.isEmpty { try await progress(last) }
                    last = line
                }
            }
            let rest = lines.rest
            if !rest.isEmpty {
                if !last.isEmpty { try await progress(last) }
                last = rest
            }
            if last.hasPrefix("ok ") { return String(last.dropFirst(3)) }
            if last.hasPrefix("error ") { throw APIClientError(.invalid, String(last.dropFirst(6))) }
            throw APIClientError(
                .malformedAnswer, "\(endpoint) broke off before \(request.subject) was complete; try again")
        }
    }
}

/// Cuts a stream of bytes into lines; a line longer than 64 KiB is cut there.
struct LineSplitter {
    private static let limit = 64 << 10

    private var pending: [UInt8] = []

    /// The whole lines after more bytes, without their line ends; empty lines are left out.
    mutating func append(_ bytes: some Sequence<UInt8>) -> [String] {
        var lines: [String] = []
        for byte in bytes {
            if byte == 0x0A || pending.count >= Self.limit {
                if !pending.isEmpty { lines.append(String(decoding: pending, as: UTF8.self)) }
                pending.removeAll(keepingCapacity: true)
            }
            if byte != 0x0A, byte != 0x0D { pending.append(byte) }
        }
        return lines
    }

    /// What came after the last line end.
    var rest: String { String(decoding: pending, as: UTF8.self) }
}
