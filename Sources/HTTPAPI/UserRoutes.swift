import Cluster
import HTTPTypes
import Hummingbird
import Model
import S3Wire
import StateStore

/// `/apus/v1/users`: who has logged in, and the S3 keys of each; for administrators, and of themselves for users.
///
/// `GET` lists them; `GET {user}` shows one, `DELETE` forgets one; `POST {user}/disable` and `…/enable`; `POST {user}/keys`
/// gives new keys, `DELETE {user}/keys` takes them away.
struct UserRoutes: Sendable {
    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.get("", .cluster(.listUsers)) { _, _ in
            let desk = try desk()
            return Response.json(.object(["users": .array(desk.records.map { Self.json($0, desk) })]))
        }
        routes.get(":user", .user(.read)) { _, context in
            let (desk, id) = (try desk(), try context.userID())
            guard let record = desk.record(id) else { throw TextError(.notFound, "there is no user \"\(id)\"") }
            return Response.json(Self.json(record, desk))
        }
        routes.delete(":user", .cluster(.changeUsers)) { _, context in
            try await desk().remove(context.userID())
            return Response.empty(.noContent)
        }
        for (name, isDisabled) in [("disable", true), ("enable", false)] {
            routes.post(":user/\(name)", .cluster(.changeUsers)) { _, context in
                let desk = try desk()
                return Response.json(Self.json(try await desk.setDisabled(isDisabled, context.userID()), desk))
            }
        }
        routes.post(":user/keys", .user(.changeKeys)) { _, context in
            let keys = try await desk().rotateKeys(of: context.userID())
            return Response.json(
                .object(["access_key": .string(keys.accessKey), "secret_key": .string(keys.secretKey)]))
        }
        routes.delete(":user/keys", .user(.changeKeys)) { _, context in
            try await desk().removeKeys(of: context.userID())
            return Response.empty(.noContent)
        }
    }

    private func desk() throws -> UserDesk {
        guard let users = gateway.users else { throw TextError(.notFound, "404 page not found") }
        return users
    }

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
