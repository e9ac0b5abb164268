import Cluster
import HTTPTypes
import Hummingbird
import Model
import NIOCore

/// `POST /job/{service}` and `POST /run/{service}` (oscar-api.md section 5).
struct InvocationRoutes: Sendable {
    /// Ours: the name of the job that was queued.
    private static let jobNameHeader = HTTPField.Name("X-Job-Name")
    private static let delegatedName = HTTPField.Name("X-Delegated-Job-ID")
    private static let preparedHeader = HTTPField.Name(HotRuns.preparedHeader)
    private static let durationHeader = HTTPField.Name("X-Duration-Seconds")

    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.post("job/:service", .service(.postJob)) { request, context in try await post(request, context) }
        routes.post("run/:service", .service(.run)) { request, context in try await run(request, context) }
    }

    private func service(_ context: APIContext) throws -> ServiceName {
        let name = try context.serviceName()
        guard gateway.catalog[name] != nil else { throw TextError(.notFound, "there is no service \"\(name)\"") }
        return name
    }

    private func post(_ request: Request, _ context: APIContext) async throws -> Response {
        let service = try service(context)
        var name: JobName?
        if let header = Self.delegatedName, let text = request.headers[header] {
            do { name = try JobName(text) } catch { throw TextError(.badRequest, "X-Delegated-Job-ID: \(error)") }
        }
        var event: [UInt8] = []
        for try await buffer in request.body {
            event.append(contentsOf: buffer.readableBytesView)
            guard event.count <= gateway.maximumEvent.bytes else {
                throw TextError(
                    .contentTooLarge,
                    "the event is larger than \(gateway.maximumEvent); put the data into a bucket instead"
                )
            }
        }
        try await gateway.buckets.checkInput(of: event, by: context.principal)
        let job = try await gateway.jobs.post(
            event, to: service, name: name, key: try request.idempotencyKey()?.scoped(to: context.principal),
            principal: context.principal.name)
        var response = Response.empty(.created)
        if let header = Self.jobNameHeader { response.headers[header] = job.name.text }
        if job.isKnown { response.headers.markReplayed() }
        return response
    }

    private func run(_ request: Request, _ context: APIContext) async throws -> Response {
        let service = try service(context)
        if let header = Self.preparedHeader, let number = request.headers[header].flatMap({ UInt64($0) }),
            let answer = gateway.runs.prepared(number)
        {
            return Self.response(answer)
        }
        guard let key = try request.idempotencyKey()?.scoped(to: context.principal) else {
            return try await run(request, service, context, key: nil)
        }
        switch gateway.runKeys.begin(key, of: service) {
        case .new:
            do { return try await run(request, service, context, key: key) } catch {
                gateway.runKeys.abandoned(key, of: service)
                throw error
            }
        case .underWay:
            throw TextError(.conflict, "a run with this Idempotency-Key is under way; ask again when it has ended")
        case .known(let digest, let answer): return try await replay(answer, digest: digest, request)
        }
    }

    private func replay(_ answer: KeptAnswer?, digest: [UInt8], _ request: Request) async throws -> Response {
        let body = DigestedBody(request.body)
        for try await _ in body {}
        guard body.digest.value == digest else {
            throw TextError(
                .unprocessableContent,
                "this Idempotency-Key was used for another body; use a new key for a new request")
        }
        guard let answer else {
            throw TextError(
                .conflict, "this run was made already; its answer was too large to be kept. Use a new key to run again")
        }
        var response = Response(
            status: answer.isFailure ? .internalServerError : .ok,
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: answer.body)))
        response.headers[.contentType] = answer.contentType
        response.headers.markReplayed()
        return response
    }

    private func run(
        _ request: Request,
        _ service: ServiceName,
        _ context: APIContext,
        key: IdempotencyKey?
    ) async throws -> Response {
        let wantsBytes = MediaTypes.wantsBytes(request.headers[.accept])
        let start = ContinuousClock.now
        let answer: RunAnswer
        let (gateway, body, poster) = (gateway, request.body, context.principal)
        do {
            answer = try await ConnectionWatch.during(context.channel) {
                let form: RunDispatcher.Form = wantsBytes ? .bytes : .oscar
                guard let key else {
                    return try await gateway.runs.run(
                        service, body: body, form: form, principal: poster.name, poster: poster)
                }
                let digested = DigestedBody(body)
                let answer = try await gateway.runs.run(
                    service, body: digested, form: form, principal: poster.name, poster: poster)
                // An answer that cannot be read is not kept; who asks again is told so.
                let kept = try? await answer.kept(atMost: RunKeys.largestAnswer)
                gateway.runKeys.answered(key, of: service, digest: digested.digest.value, kept)
                return answer
            }
        } catch {
            throw LastOnConnection(cause: error)
        }
        var response = Self.response(answer)
        if let header = Self.durationHeader {
            response.headers[header] = "\(Double((ContinuousClock.now - start).nanoseconds) / 1e9)"
        }
        return response
    }

    private static func response(_ answer: RunAnswer) -> Response {
        var response = Response(status: answer.isFailure ? .internalServerError : .ok, body: body(of: answer))
        response.headers[.contentType] = answer.contentType
        return response
    }

    private static func body(of answer: RunAnswer) -> ResponseBody {
        ResponseBody(contentLength: answer.length) { writer in
            let pieces = PieceWriter(writer)
            do {
                try await answer.write { try await pieces.write($0) }
                await answer.discard()
            } catch {
                await answer.discard()
                throw error
            }
            try await writer.finish(nil)
        }
    }
}

/// Lets a closure write to a response's body.
///
/// Unchecked: the one task that makes the body writes, one piece after the other.
private final class PieceWriter: @unchecked Sendable {
    private var writer: any ResponseBodyWriter

    init(_ writer: any ResponseBodyWriter) { self.writer = writer }

    func write(_ piece: ByteBuffer) async throws {
        var writer = writer
        try await writer.write(piece)
        self.writer = writer
    }
}
