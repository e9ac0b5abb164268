import Cluster
import HTTPTypes
import Hummingbird
import Model
import ObjectEngine
import Scheduling

/// `/system/quotas/user` (oscar-api.md section 9.3).
struct QuotaRoutes: Sendable {
    let desk: QuotaDesk

    func add(to routes: AuthorizedRoutes) {
        routes.get("user", .cluster(.readOneself)) { _, context in try await own(context) }
        routes.get("user/:user", .user(.readQuota)) { _, context in
            let user = try context.userID()
            return Response.json(Self.json(user, try await desk.account(of: user.text)))
        }
        routes.put("user/:user", .user(.changeQuota)) { request, context in
            try await change(request, try context.userID())
        }
    }

    private func own(_ context: APIContext) async throws -> Response {
        guard case .user(let user) = context.principal else {
            throw TextError(
                .unauthorized,
                "missing user identificator: the administrator has no quota; ask for that of a user with "
                    + "/system/quotas/user/<user>")
        }
        return .json(Self.json(user.id, try await desk.account(of: user.id.text)))
    }

    private func change(_ request: Request, _ user: UserID) async throws -> Response {
        let change: QuotaRequest
        do { change = try QuotaRequest(try await request.json()) } catch let error as QuotaRequestError {
            throw TextError(.badRequest, "\(error)")
        }
        return .json(Self.json(user, try await desk.change(user.text, change)))
    }

    // MARK: Answers

    /// OSCAR's document; what has no limit is named at its end.
    ///
    /// The number that stands for no limit is what the cluster has, for processor and memory, and 0 else, as in OSCAR.
    static func json(_ user: UserID, _ account: QuotaDesk.Account) -> JSONValue {
        let quota = account.quota
        func pair(_ most: Int64, _ used: Int64) -> JSONValue {
            .object(["max": .integer(most), "used": .integer(used)])
        }
        func texts(_ field: QuotaField, _ used: Int64) -> JSONValue {
            .object(["max": .string(field.text(quota[field] ?? 0)), "used": .string(field.text(used))])
        }
        let unlimited = QuotaField.allCases.filter { quota[$0] == nil }.map(\.rawValue)
        var document: JSONObject = [
            "user_id": .string(user.text),
            "resources": .object([
                "cpu": pair(quota[.cpu] ?? account.capacity.cpu.thousandths, account.held.cpu.thousandths),
                "ephemeral-storage": pair(quota[.ephemeralStorage] ?? 0, 0), "gpu": pair(quota[.gpu] ?? 0, 0),
                "memory": pair(quota[.memory] ?? account.capacity.memory.bytes, account.held.memory.bytes),
            ]),
            "volumes": .object([
                "disk": texts(.volumeBytes, account.volumes.bytes.bytes),
                "volumes": texts(.volumes, Int64(account.volumes.count)),
                "max_disk_per_volume": .string(QuotaField.largestVolume.text(quota[.largestVolume] ?? 0)),
                "min_disk_per_volume": .string(QuotaField.smallestVolume.text(quota[.smallestVolume] ?? 0)),
            ]),
            "minio": .object([
                "buckets": pair(quota[.buckets] ?? 0, Int64(account.storage.buckets)),
                "storage_per_bucket": .object([
                    "max": .string(QuotaField.bucketBytes.text(quota[.bucketBytes] ?? 0))
                ]),
                "storage_total": .object(storageTotal(account)),
            ]),
        ]
        if !unlimited.isEmpty { document["unlimited"] = .strings(unlimited) }
        return .object(document)
    }

    private static func storageTotal(_ account: QuotaDesk.Account) -> JSONObject {
        var total: JSONObject = ["used": .string(BucketRoutes.humanSize(account.storage.bytes))]
        // Ours: OSCAR knows no such limit.
        if let most = account.quota[.totalBytes] { total["max"] = .string(QuotaField.totalBytes.text(most)) }
        return total
    }
}
