import AsyncHTTPClient
package import Model
import NIOCore
import NIOHTTP1

extension APIClient {
    /// What a user may have and has, as the cluster sends it; one's own where no user is named.
    ///
    /// - Throws: the usual.
    package func quota(of user: String?) async throws(APIClientError) -> JSONValue {
        let subject = user.map { "the quota of \"\($0)\"" } ?? "your quota"
        guard let user else {
            return try await document(APIRequest(.GET, "system", "quotas", "user", subject: subject))
        }
        return try await document(APIRequest(.GET, "system", "quotas", "user", user, subject: subject))
    }

    /// Changes what a user may have; answers what that is now.
    ///
    /// - Throws: the usual.
    package func setQuota(of user: String, to change: JSONValue) async throws(APIClientError) -> JSONValue {
        var request = APIRequest(.PUT, "system", "quotas", "user", user, subject: "the quota of \"\(user)\"")
        request.headers = [("content-type", "application/json")]
        request.body = .bytes(ByteBuffer(bytes: change.bytes()))
        return try await document(request)
    }

    /// The volumes of an owner, as the cluster sends them.
    ///
    /// - Parameter owner: one's own where `nil`; `*` for everybody's, which only the administrator sees.
    /// - Throws: the usual.
    package func volumes(of owner: String?) async throws(APIClientError) -> [JSONValue] {
        var request = APIRequest(.GET, "system", "volumes", subject: "the list of volumes")
        if let owner { request.query.append(("owner", owner)) }
        return try elements(try await document(request), of: "volumes")
    }

    /// Makes a volume; answers it.
    ///
    /// - Throws: the usual.
    package func createVolume(
        _ name: String,
        size: String,
        owner: String?
    ) async throws(APIClientError) -> JSONValue {
        var request = APIRequest(.POST, "system", "volumes", subject: "the volume \"\(name)\"")
        if let owner { request.query.append(("owner", owner)) }
        request.headers = [("content-type", "application/json")]
        request.body = .bytes(
            ByteBuffer(bytes: JSONValue.object(["name": .string(name), "size": .string(size)]).bytes()))
        return try await document(request)
    }

    /// Changes how much may be in a volume; answers it.
    ///
    /// - Throws: `notFound`; the usual.
    package func resizeVolume(
        _ name: String,
        to size: String,
        owner: String?
    ) async throws(APIClientError) -> JSONValue {
        var request = APIRequest(.PUT, "system", "volumes", name, subject: "the volume \"\(name)\"")
        if let owner { request.query.append(("owner", owner)) }
        request.headers = [("content-type", "application/json")]
        request.body = .bytes(ByteBuffer(bytes: JSONValue.object(["size": .string(size)]).bytes()))
        return try await document(request)
    }

    /// Removes a volume with all that is in it.
    ///
    /// - Throws: `notFound`; the usual.
    package func deleteVolume(_ name: String, owner: String?) async throws(APIClientError) {
        var request = APIRequest(.DELETE, "system", "volumes", name, subject: "the volume \"\(name)\"")
        if let owner { request.query.append(("owner", owner)) }
        request.patience = .minutes(10)
        try await send(request)
    }
}
