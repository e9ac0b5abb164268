import Cluster
import HTTPTypes
import Hummingbird
import Identity
import Logging
import Model
import NIOCore

/// Turns errors into answers, counts requests, and writes one log line for each that changed something or failed.
struct ErrorMiddleware: RouterMiddleware {
    typealias Context = APIContext

    let metrics: RouteMetrics

    func handle(
        _ request: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        let start = ContinuousClock.now
        let response = await answer(request, context, next)
        let route = context.endpointPath ?? "unknown"
        metrics.answered(
            route: route, method: Self.method(request.method), status: response.status.code,
            after: ContinuousClock.now - start)
        return response
    }

    private static func method(_ method: HTTPRequest.Method) -> String {
        [.get, .put, .post, .delete, .head, .options].contains(method) ? method.rawValue : "other"
    }

    private func answer(
        _ request: Request,
        _ context: Context,
        _ next: @concurrent (Request, Context) async throws -> Response
    ) async -> Response {
        do { return try await next(request, context) } catch let last as LastOnConnection {
            var response = answer(request, context, to: last.cause)
            response.headers[.connection] = "close"
            return response
        } catch {
            return answer(request, context, to: error)
        }
    }

    private func answer(_ request: Request, _ context: Context, to error: any Error) -> Response {
        do { throw error } catch let error as TextError {
            return error.response
        } catch let error as ClusterError {
            if error.code == .failed {
                context.logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            }
            return TextError(error).response
        } catch let error as HTTPError where error.status == .notFound || error.status == .methodNotAllowed {
            return TextError(.notFound, "404 page not found").response
        } catch let error as HTTPError {
            return TextError(error.status, error.body ?? error.status.reasonPhrase).response
        } catch is CancellationError {
            return TextError(.serviceUnavailable, "the request was cancelled").response
        } catch {
            context.logger.error("request failed", metadata: ["path": "\(request.uri.path)", "error": "\(error)"])
            return TextError(.internalServerError, "\(error)").response
        }
    }
}

/// An error after which the server closes the connection, so that the answer says so.
struct LastOnConnection: Error {
    let cause: any Error
}

/// Lets browsers on other origins call: the dashboard usually is on one.
///
/// Authorization is by header, never by cookie, so any origin may ask.
struct CORSHeaders: RouterMiddleware {
    typealias Context = APIContext

    func handle(
        _ request: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard request.headers[.origin] != nil else { return try await next(request, context) }
        var response: Response
        if request.method == .options {
            response = .empty(.noContent)
            response.headers[.accessControlAllowMethods] = "GET, POST, PUT, DELETE, OPTIONS"
            response.headers[.accessControlAllowHeaders] =
                request.headers[values: .accessControlRequestHeaders].joined(separator: ", ")
            response.headers[.accessControlMaxAge] = "600"
        } else {
            response = try await next(request, context)
        }
        response.headers[.accessControlAllowOrigin] = "*"
        response.headers[.accessControlExposeHeaders] = "*"
        return response
    }
}

/// Decides who makes the request; what that somebody may do is decided by `AuthorizedRoutes`.
///
/// Whoever presents what is not good is refused; who presents nothing is nobody in particular.
struct AuthenticationMiddleware: RouterMiddleware {
    typealias Context = APIContext

    let authenticator: Authenticator

    func handle(
        _ request: Request,
        context: Context,
        next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        var context = context
        switch authenticator.authenticate(authorization: request.headers[.authorization]) {
        case .principal(let principal): context.principal = principal
        case .missing: break
        case .refused: throw Refusal.unauthorized
        }
        return try await next(request, context)
    }
}

extension Duration {
    var nanoseconds: Int64 { components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000 }
}
