/// Who makes a request; decided once, at the border.
package enum Principal: Sendable, Hashable {
    /// The one administrator; the name is what events and logs carry.
    case administrator(name: String)
    /// Somebody who logged in with an identity provider, or came with the S3 keys that belong to such a login.
    case user(User)
    /// A service, by its own token: it may invoke itself and nothing else.
    case service(ServiceName)
    /// Nobody in particular.
    case anonymous

    /// What events and logs call this principal.
    package var name: String {
        switch self {
        case .administrator(let name): name
        case .user(let user): user.id.text
        case .service(let name): name.text
        case .anonymous: "anonymous"
        }
    }
}
