import Cluster
import HTTPTypes
import Hummingbird
import Model
import S3Wire

/// `/system/info`, `/system/config`, `/system/status` (oscar-api.md sections 3 and 9.1).
struct SystemRoutes: Sendable {
    let gateway: Gateway

    func add(to routes: AuthorizedRoutes) {
        routes.get("info", .cluster(.readInfo)) { _, _ in Response.json(info) }
        routes.get("config", .cluster(.readConfig)) { _, context in Response.json(config(context)) }
        routes.put("config", .cluster(.changeConfig)) { request, _ in try await setConfig(request) }
        routes.get("status", .cluster(.readStatus)) { _, _ in Response.json(try await gateway.status.json()) }
    }

    private var info: JSONValue {
        let description = gateway.description
        return .object([
            "version": .string(description.version), "git_commit": .string(description.commit),
            "architecture": .string(description.architecture), "kubernetes_version": .string(""),
            "serverless_backend": .object(["name": "Apus", "version": .string(description.version)]),
        ])
    }

    /// With the keys of whoever asks, which are empty where they have none.
    private func config(_ context: APIContext) -> JSONValue {
        let description = gateway.description
        let keys = gateway.storeKeys(of: context.principal)
        return .object([
            "config": .object([
                "name": "oscar", "namespace": "oscar", "services_namespace": "oscar-svc",
                "controller_service_account": "oscar-sa", "gpu_available": false, "interLink_available": false,
                "serverless_backend": "apus", "yunikorn_enable": false, "kueue_enable": .bool(gateway.quotas != nil),
                "volume_enable": .bool(gateway.volumes != nil), "oidc_groups": .strings(description.groups),
                "minio_quota_enabled": .bool(gateway.quotas != nil),
            ]),
            "minio_provider": .object([
                "endpoint": .string(description.store.endpoint), "verify": .bool(description.store.verify),
                "access_key": .string(keys?.accessKey ?? ""), "secret_key": .string(keys?.secretKey ?? ""),
                "region": .string(description.store.region),
            ]),
            "allowed_image_repositories": .strings(gateway.allowedImages.list),
        ])
    }

    private func setConfig(_ request: Request) async throws -> Response {
        guard let list = try await request.json()["allowed_image_repositories"]?.arrayValue else {
            throw TextError(.badRequest, "allowed_image_repositories: a list of texts is required")
        }
        let texts = list.compactMap(\.stringValue)
        guard texts.count == list.count else {
            throw TextError(.badRequest, "allowed_image_repositories: all elements must be texts")
        }
        try await gateway.allowedImages.set(texts)
        return .json(.strings(gateway.allowedImages.list))
    }
}

extension JSONValue: ExpressibleByStringLiteral, ExpressibleByBooleanLiteral {
    package init(stringLiteral value: String) { self = .string(value) }
    package init(booleanLiteral value: Bool) { self = .bool(value) }
}
