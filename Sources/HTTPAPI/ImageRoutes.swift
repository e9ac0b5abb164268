import Cluster
import HTTPTypes
import Hummingbird
import Model
import NIOCore
import S3Wire
import Sandboxes

/// `/apus/v1/images`.
///
/// Adding answers with lines of text as the work goes on; the last is `ok DIGEST` or `error TEXT`.
struct ImageRoutes: Sendable {
    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.get("", .cluster(.listImages)) { _, _ in
            Response.json(.array(await gateway.images.all().flatMap(Self.json)))
        }
        routes.post("", .cluster(.changeImages)) { request, _ in try await add(request) }
        routes.put(":image", .cluster(.changeImages)) { request, context in
            upload(request, name: try Self.name(context))
        }
        routes.delete(":image", .cluster(.changeImages)) { _, context in
            try await gateway.images.remove(try Self.name(context))
            return Response.empty(.noContent)
        }
    }

    /// The image that the path names, percent-encoded because it may hold slashes.
    private static func name(_ context: APIContext) throws -> String {
        let text = try context.parameters.require("image")
        guard let name = PercentEncoding.decoded(text) else {
            throw TextError(.badRequest, "\"\(text)\" is not percent-encoded UTF-8")
        }
        return name
    }

    /// One object a name.
    private static func json(_ image: StoredImage) -> [JSONValue] {
        image.names.map { name in
            .object([
                "name": .string(name), "digest": .string(image.digest), "size_bytes": .integer(image.size.bytes),
                "created": .string(image.created.rfc3339()),
            ])
        }
    }

    private func add(_ request: Request) async throws -> Response {
        let json = try await request.json()
        guard let source = json["source"]?.stringValue, !source.isEmpty else {
            throw TextError(
                .badRequest, "source: docker://REFERENCE or the path of an archive on the server is required")
        }
        let name = json["name"]?.stringValue
        return Self.progressing { progress in
            try await gateway.images.add(from: source, name: name, progress: progress)
        }
    }

    private func upload(_ request: Request, name: String) -> Response {
        let body = request.body
        return Self.progressing { progress in
            progress("receiving \(name)")
            return try await gateway.images.add(archive: body, name: name, progress: progress)
        }
    }

    /// Answers with the lines of a long work while it is under way.
    private static func progressing(
        _ work: @escaping @Sendable (@escaping @Sendable (String) -> Void) async throws -> StoredImage
    ) -> Response {
        let body = ResponseBody { writer in
            // Progress is for people: when they read slower than it comes, the newest lines count.
            let (lines, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingNewest(256))
            async let last = finish(work, continuation)
            for await line in lines { try await writer.write(ByteBuffer(string: "\(line)\n")) }
            try await writer.write(ByteBuffer(string: "\(await last)\n"))
            try await writer.finish(nil)
        }
        return Response(status: .ok, headers: [.contentType: "text/plain; charset=utf-8"], body: body)
    }

    private static func finish(
        _ work: @Sendable (@escaping @Sendable (String) -> Void) async throws -> StoredImage,
        _ lines: AsyncStream<String>.Continuation
    ) async -> String {
        defer { lines.finish() }
        do {
            return "ok \(try await work { lines.yield(oneLine($0)) }.digest)"
        } catch let error as ClusterError {
            return "error \(oneLine(error.message))"
        } catch {
            return "error \(oneLine("\(error)"))"
        }
    }

    private static func oneLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).joined(separator: " ")
    }
}
