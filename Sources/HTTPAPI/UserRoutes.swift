import Cluster
import HTTPTypes
import Hummingbird
import Model
import StateStore

/// `/apus/v1/users`: who has logged in, and the S3 keys of each; for administrators, and of themselves for users.
///
/// `GET` lists them; `GET {user}` shows one, `DELETE` forgets one; `POST {user}/disable` and `…/enable`; `POST {user}/keys`
/// gives new keys, `DELETE {user}/keys` takes them away.
struct UserRoutes: Sendable {
    let gateway: Gateway

    func add(to group: RouterGroup<APIContext>) {
        group.get { _, context in
            try Self.requireOverview(context)
            let desk = try desk()
            return Response.json(.object(["users": .array(desk.records.map { Self.json($0, desk) })]))
        }
        group.get(":user") { _, context in
            let desk = try desk()
            let id = try Self.user(context, mayBeSelf: true)
            guard let record = desk.record(id) else { throw Self.notFound(id) }
            return Response.json(Self.json(record, desk))
        }
        group.delete(":user") { _, context in
            try await desk().remove(Self.user(context))
            return Response.empty(.noContent)
        }
        for (name, isDisabled) in [("disable", true), ("enable", false)] {
            group.post(":user/\(name)") { _, context in
                let desk = try desk()
                return Response.json(Self.json(try await desk.setDisabled(isDisabled, Self.user(context)), desk))
            }
        }
        group.post(":user/keys") { _, context in
            let keys = try await desk().rotateKeys(of: Self.user(context, mayBeSelf: true))
            return Response.json(
                .object(["access_key": .string(keys.accessKey), "secret_key": .string(keys.secretKey)]))
        }
        group.delete(":user/keys") { _, context in
            try await desk().removeKeys(of: Self.user(context, mayBeSelf: true))
            return Response.empty(.noContent)
        }
    }

    private func desk() throws -> UserDesk {
        guard let users = gateway.users else { throw TextError(.notFound, "404 page not found") }
        return users
    }

    /// The user that the path names.
    ///
    /// - Throws: `TextError` 403 for anybody but administrators, and the user where that may be.
    private static func user(_ context: APIContext, mayBeSelf: Bool = false) throws -> UserID {
        let text = try context.parameters.require("user")
        let id: UserID
        do { id = try UserID(text) } catch { throw TextError(.badRequest, "\(error)") }
        switch context.principal {
        case .administrator: return id
        case .user(let user) where mayBeSelf && user.id == id: return id
        case .user, .service, .anonymous:
            throw TextError(.forbidden, "only the cluster's administrator may do that")
        }
    }

    /// - Throws: `TextError` 403.
    private static func requireOverview(_ context: APIContext) throws {
        switch context.principal {
        case .administrator: return
        case .user(let user) where user.isOperator: return
        case .user, .service, .anonymous:
            throw TextError(.forbidden, "only the cluster's administrator and its operators may see all users")
        }
    }

    private static func notFound(_ id: UserID) -> TextError { TextError(.notFound, "there is no user \"\(id)\"") }

    private static func json(_ record: UserRecord, _ desk: UserDesk) -> JSONValue {
        .object([
            "user": .string(record.id.text), "name": .string(record.name), "groups": .strings(record.groups),
            "issuer": .string(record.issuer), "access_key": .string(record.accessKey),
            "keys": .bool(!record.sealedSecret.isEmpty), "disabled": .bool(record.isDisabled),
            "operator": .bool(desk.isOperator(record.id)), "first_seen": .string(record.firstSeen.rfc3339()),
            "last_seen": .string(record.lastSeen.rfc3339()),
        ])
    }
}
