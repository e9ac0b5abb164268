package import Identity
import Model

/// What of the object store the audit log is told.
package struct S3Audit: Sendable {
    private let log: AuditLog
    /// Whether each write of an object is told of, too.
    private let tellsObjects: Bool

    package init(_ log: AuditLog, tellsObjects: Bool) { (self.log, self.tellsObjects) = (log, tellsObjects) }

    /// Tells of an answer, where that is wanted.
    func tell(
        _ operation: S3Operation?,
        by principal: Principal,
        resource: String,
        from address: String,
        status: Int,
        at now: Instant
    ) {
        guard isToldOf(operation, status: status) else { return }
        log.record(
            AuditEntry(
                time: now, face: .s3, principal: principal, action: operation?.name ?? "Unknown", resource: resource,
                address: address, status: status))
    }

    private func isToldOf(_ operation: S3Operation?, status: Int) -> Bool {
        if status == 401 || status == 403 { return true }
        guard let operation else { return false }
        let isRead = ["Get", "Head", "List"].contains { operation.name.hasPrefix($0) }
        if isRead { return false }
        if case .bucket(let kind, _) = operation, kind != .deleteObjects, kind != .postObject { return true }
        return tellsObjects
    }
}
