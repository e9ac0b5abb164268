import Cluster
import Identity
import Model
import NIOHTTP1

/// Decides which requests a function's own server answers, and who may ask: before a task is made for them.
struct ProxyRouter: Sendable {
    private static let run = "/run/"
    private static let services = "/system/services/"
    private static let exposed = "/exposed"

    let catalog: ServiceCatalog
    let authenticator: Authenticator

    /// Everything that no service of that kind answers is passed on.
    func decide(_ head: HTTPRequestHead) -> ProxyDecision {
        let uri = Self.originForm(head.uri)
        if uri.utf8.starts(with: Self.run.utf8) { return decideRun(head, uri) }
        if uri.utf8.starts(with: Self.services.utf8) { return decideExposed(head, uri) }
        return .passOn
    }

    /// The target without `http://authority` (RFC 9112, section 3.2.2).
    static func originForm(_ uri: String) -> Substring {
        guard uri.utf8.first != UInt8(ascii: "/"), uri.lowercased().hasPrefix("http://") else { return uri[...] }
        let rest = uri.utf8.dropFirst(7)
        let path = Substring(rest.drop { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") })
        return path.utf8.first == UInt8(ascii: "/") ? path : Substring("/\(path)")
    }

    /// The name at the beginning, and what comes after it.
    private func service(_ text: Substring) -> (service: RegisteredService, rest: Substring)? {
        let name = text.utf8.prefix { $0 != UInt8(ascii: "/") && $0 != UInt8(ascii: "?") }
        guard let name = try? ServiceName(Substring(name)), let service = catalog[name] else { return nil }
        return (service, Substring(text.utf8.dropFirst(name.text.utf8.count)))
    }

    /// A path that begins with a slash.
    private static func rooted(_ rest: Substring) -> String {
        rest.utf8.first == UInt8(ascii: "/") ? String(rest) : "/\(rest)"
    }

    // MARK: /run

    private func decideRun(_ head: HTTPRequestHead, _ uri: Substring) -> ProxyDecision {
        guard let (service, rest) = service(Substring(uri.utf8.dropFirst(Self.run.utf8.count))),
            service.definition.mode == .server
        else { return .passOn }
        let authorization = head.headers.first(name: "authorization")
        // A browser asks without credentials whether it may ask with them; that is answered as for all routes.
        let isPreflight = head.method == .OPTIONS && head.headers.contains(name: "access-control-request-method")
        if isPreflight, authorization == nil { return .passOn }
        guard case .principal(let principal) = authenticator.authenticate(authorization: authorization) else {
            return .answer(ServiceAccess.unauthorized(realm: ServiceAccess.administratorRealm))
        }
        guard principal.may(.run, service.definition) else {
            return .answer(ProxyAnswer(Refusal.of(.run, principal, service.definition)))
        }
        return .forward(
            ProxyTarget(
                service: service.name, route: .run, uri: Self.rooted(rest), prefix: "\(Self.run)\(service.name)",
                hidesAuthorization: true, cookie: nil))
    }

    // MARK: Exposed services

    private func decideExposed(_ head: HTTPRequestHead, _ uri: Substring) -> ProxyDecision {
        guard let (service, rest) = service(Substring(uri.utf8.dropFirst(Self.services.utf8.count))),
            rest.utf8.starts(with: Self.exposed.utf8), service.definition.expose.isExposed
        else { return .passOn }
        let path = Substring(rest.utf8.dropFirst(Self.exposed.utf8.count))
        let prefix = ExposedDesk.basePath(of: service.name)
        switch path.utf8.first {
        case UInt8(ascii: "/"): break
        case nil, UInt8(ascii: "?"):
            // Relative links of the page would lead elsewhere; methods other than these keep theirs by 308.
            let status =
                head.method == .GET || head.method == .HEAD ? HTTPResponseStatus.movedPermanently : .permanentRedirect
            return .answer(ProxyAnswer(status, headers: [("location", "\(prefix)/\(path)")]))
        default: return .passOn
        }
        var cookie: String?
        if service.definition.expose.setAuth {
            switch ServiceAccess(service.definition).check(head, uri: uri, authenticator) {
            case .refused(let answer): return .answer(answer)
            case .granted(let granted): cookie = granted
            }
        }
        let isRewritten = !service.definition.expose.rewriteTarget
        return .forward(
            ProxyTarget(
                service: service.name, route: .exposed, uri: isRewritten ? String(path) : String(uri),
                prefix: isRewritten ? prefix : "", hidesAuthorization: service.definition.expose.setAuth,
                cookie: cookie))
    }
}
