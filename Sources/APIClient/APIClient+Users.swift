package import Model
import NIOHTTP1

/// Somebody who has logged in to a cluster: one element of `GET /apus/v1/users`.
package struct UserSummary: Sendable, Hashable {
    /// What the identity provider calls them.
    package var user: String
    package var name: String
    package var groups: [String]
    package var accessKey: String
    package var hasKeys: Bool
    package var isDisabled: Bool
    /// RFC 3339.
    package var lastSeen: String
    /// The whole object as the cluster sent it.
    package var json: JSONValue

    /// Reads one element of the list; absent members are empty.
    package init(_ json: JSONValue) {
        func text(_ key: String) -> String { json[key]?.stringValue ?? "" }
        (user, name, accessKey, lastSeen) = (text("user"), text("name"), text("access_key"), text("last_seen"))
        groups = (json["groups"]?.arrayValue ?? []).compactMap(\.stringValue)
        hasKeys = json["keys"]?.boolValue ?? false
        isDisabled = json["disabled"]?.boolValue ?? false
        self.json = json
    }
}

extension APIClient {
    /// All who have logged in.
    ///
    /// - Throws: `notFound` where the cluster is not Apus; the usual.
    package func users() async throws(APIClientError) -> [UserSummary] {
        let answer = try await document(APIRequest(.GET, "apus", "v1", "users", subject: "the list of users"))
        return try elements(answer["users"] ?? answer, of: "users").map { UserSummary($0) }
    }

    /// One of them.
    ///
    /// - Throws: `notFound`; the usual.
    package func user(_ user: String) async throws(APIClientError) -> UserSummary {
        UserSummary(try await document(APIRequest(.GET, "apus", "v1", "users", user, subject: "user \"\(user)\"")))
    }

    /// Forgets a user; what they have stays.
    ///
    /// - Throws: `notFound`; the usual.
    package func removeUser(_ user: String) async throws(APIClientError) {
        try await send(APIRequest(.DELETE, "apus", "v1", "users", user, subject: "user \"\(user)\""))
    }

    /// Lets a user in no more, or again.
    ///
    /// - Throws: `notFound`; the usual.
    package func setUser(_ user: String, isDisabled: Bool) async throws(APIClientError) {
        let verb = isDisabled ? "disable" : "enable"
        try await send(APIRequest(.POST, "apus", "v1", "users", user, verb, subject: "user \"\(user)\""))
    }

    /// Gives a user new S3 keys.
    ///
    /// - Throws: `notFound`; the usual.
    package func rotateKeys(of user: String) async throws(APIClientError) -> (accessKey: String, secretKey: String) {
        let request = APIRequest(.POST, "apus", "v1", "users", user, "keys", subject: "the keys of \"\(user)\"")
        let answer = try await document(request)
        return (answer["access_key"]?.stringValue ?? "", answer["secret_key"]?.stringValue ?? "")
    }

    /// Takes a user's S3 keys away.
    ///
    /// - Throws: `notFound`; the usual.
    package func removeKeys(of user: String) async throws(APIClientError) {
        try await send(
            APIRequest(.DELETE, "apus", "v1", "users", user, "keys", subject: "the keys of \"\(user)\""))
    }
}
