/// What surrounds a service's script while it runs.
package enum SandboxKind: String, Sendable, Hashable, CaseIterable {
    /// A plain process group in a private directory; needs no image.
    case process
    /// An OCI container made from the service's image.
    case container
}
