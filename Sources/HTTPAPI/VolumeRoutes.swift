import Cluster
import HTTPTypes
import Hummingbird
import Model
import S3Wire
import StateStore

/// `/system/volumes` (oscar-api.md section 8).
///
/// Everybody sees and changes what is their own; the administrator's volumes are those of its services.
struct VolumeRoutes: Sendable {
    let desk: VolumeDesk

    func add(to routes: AuthorizedRoutes) {
        routes.get("", .cluster(.listVolumes)) { request, context in
            let owner = try Self.owner(request, context)
            let views = owner.map(desk.all(of:)) ?? desk.all()
            return Response.json(.array(views.map(Self.json)))
        }
        routes.post("", .cluster(.createVolume)) { request, context in try await create(request, context) }
        routes.get(":volume", .volume(.read)) { request, context in
            Response.json(Self.json(try desk.volume(Self.name(context), of: try Self.ownerOfOne(request, context))))
        }
        // Ours: OSCAR's volumes keep their size.
        routes.put(":volume", .volume(.use)) { request, context in try await resize(request, context) }
        routes.delete(":volume", .volume(.delete)) { request, context in
            try await desk.remove(try Self.name(context), owner: try Self.ownerOfOne(request, context))
            return Response.empty(.noContent)
        }
    }

    // MARK: Rights
    // A user comes to no volumes but those of the same owner, whatever the request says.

    /// Whose volumes a request is about; the administrator can name anybody's with `owner`, and everybody's with `owner=*`, which is
    /// `nil` here.
    private static func owner(_ request: Request, _ context: APIContext) throws -> String? {
        switch context.principal {
        case .administrator:
            let named = request.query("owner")
            return named == "*" ? nil : named ?? "cluster_admin"
        case .user(let user): return user.id.text
        case .service, .anonymous: throw TextError(.forbidden, "forbidden")
        }
    }

    private static func ownerOfOne(_ request: Request, _ context: APIContext) throws -> String {
        guard let owner = try owner(request, context) else {
            throw TextError(.badRequest, "owner: name one owner")
        }
        return owner
    }

    // MARK: Requests

    /// What cannot be a volume's name does not exist.
    private static func name(_ context: APIContext) throws -> VolumeName {
        let text = try context.parameters.require("volume")
        do { return try VolumeName(PercentEncoding.decoded(text) ?? text) } catch {
            throw TextError(.notFound, "the volume \"\(text)\" does not exist")
        }
    }

    private static func invalid(_ what: String) -> TextError {
        TextError(.badRequest, "The volume specification is not valid: \(what)")
    }

    private static func size(_ object: JSONObject) throws -> ByteCount {
        guard let value = object.value(ignoringCase: "size"), !value.isNull else {
            throw invalid("Key: 'Size' Error:Field validation for 'Size' failed on the 'required' tag")
        }
        let text: String
        switch value {
        case .string(let string): text = string
        case .number(let number): text = number
        case .null, .bool, .array, .object: throw invalid("size: must be a text")
        }
        guard let size = try? Quantity(text).byteCount(), size > .zero else {
            throw TextError(.badRequest, "volume.size must be a valid positive quantity")
        }
        return size
    }

    private static func object(_ request: Request) async throws -> JSONObject {
        guard let object = try await request.json().objectValue else { throw invalid("it must be an object") }
        return object
    }

    private func create(_ request: Request, _ context: APIContext) async throws -> Response {
        let owner = try Self.ownerOfOne(request, context)
        let object = try await Self.object(request)
        guard let text = object.value(ignoringCase: "name")?.stringValue, !text.isEmpty else {
            throw Self.invalid("Key: 'Name' Error:Field validation for 'Name' failed on the 'required' tag")
        }
        let name: VolumeName
        do { name = try VolumeName(text) } catch { throw TextError(.badRequest, "\(error)") }
        let view = try await desk.create(name, size: try Self.size(object), owner: owner)
        return .json(Self.json(view), status: .created)
    }

    private func resize(_ request: Request, _ context: APIContext) async throws -> Response {
        let owner = try Self.ownerOfOne(request, context)
        let size = try Self.size(try await Self.object(request))
        return .json(Self.json(try await desk.resize(try Self.name(context), to: size, owner: owner)))
    }

    // MARK: Answers

    static func json(_ view: VolumeView) -> JSONValue {
        let record = view.record
        var object: JSONObject = ["name": .string(record.name.text)]
        object["size"] = .string(QuotaField.byteText(record.size.bytes))
        object["owner_user"] = .string(record.owner)
        object["created_by_service"] = record.service.map { .string($0.text) }
        object["creation_mode"] = .string(record.service == nil ? "api" : "service")
        object["lifecycle_policy"] = .string(record.policy.rawValue)
        if !view.attachments.isEmpty {
            object["attachments"] = .array(
                view.attachments.map {
                    .object(["service_name": .string($0.service.text), "mount_path": .string($0.mountPath)])
                })
        }
        var status: JSONObject = ["phase": .string(view.phase.rawValue)]
        status["message"] = view.message.map { .string($0) }
        if !view.attachments.isEmpty { status["attachment_count"] = .integer(view.attachments.count) }
        object["status"] = .object(status)
        // Ours: what was found in it last.
        object["used_bytes"] = view.used.map { .integer($0.bytes) }
        return .object(object)
    }
}
