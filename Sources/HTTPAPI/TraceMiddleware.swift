import HTTPTypes
import Hummingbird
import Model

/// Makes the request's `traceparent` that of all that it causes.
struct TraceMiddleware: RouterMiddleware {
    typealias Context = APIContext

    private static let header = HTTPField.Name("traceparent")

    func handle(
        _ request: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let trace = Self.header.flatMap { request.headers[$0] }.flatMap { TraceContext(traceparent: $0) }
        guard let trace else { return try await next(request, context) }
        return try await TraceContext.$current.withValue(trace) { try await next(request, context) }
    }
}
