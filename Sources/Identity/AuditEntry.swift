package import Model

/// One line of the audit log: who did or wanted to do what, when, from where, and what came of it.
package struct AuditEntry: Sendable, Hashable {
    package enum Face: String, Sendable, Hashable { case api, s3 }

    private static let longestText = 512

    package var time: Instant
    package var face: Face
    package var principal: String
    /// `administrator`, `user`, `service`, `anonymous`.
    package var kind: String
    /// The method and the route, or S3's name of the operation.
    package var action: String
    /// The path, without its query, which may hold secrets.
    package var resource: String
    /// The address that the request came from.
    package var address: String
    /// The HTTP status.
    package var status: Int

    package init(
        time: Instant,
        face: Face,
        principal: Principal,
        action: String,
        resource: String,
        address: String,
        status: Int
    ) {
        (self.time, self.face, self.principal, kind) = (time, face, principal.name, Self.kind(principal))
        (self.action, self.address, self.status) = (action, address, status)
        self.resource = String(resource.prefix { $0 != "?" && $0 != "#" }.prefix(Self.longestText))
    }

    private static func kind(_ principal: Principal) -> String {
        switch principal {
        case .administrator: "administrator"
        case .user: "user"
        case .service: "service"
        case .anonymous: "anonymous"
        }
    }

    package var json: JSONValue {
        .object([
            "time": .string(time.rfc3339(fractionDigits: 3)), "face": .string(face.rawValue),
            "principal": .string(principal), "kind": .string(kind), "action": .string(action),
            "resource": .string(resource), "from": .string(address), "status": .integer(status),
        ])
    }
}

/// Which lines of the audit log somebody wants.
package struct AuditFilter: Sendable, Hashable {
    package var principal: String?
    /// The beginning of the resource.
    package var resource: String?
    /// A part of the action.
    package var action: String?
    package var since: Instant?
    /// Only lines before this place.
    package var before: AuditPlace?
    package var onlyRefused = false
    package var limit: Int

    package init(limit: Int) { self.limit = limit }

    func accepts(_ line: JSONValue) -> Bool {
        func text(_ key: String) -> String { line[key]?.stringValue ?? "" }
        if let principal, text("principal") != principal { return false }
        if let resource, !text("resource").hasPrefix(resource) { return false }
        if let action, !text("action").lowercased().contains(action.lowercased()) { return false }
        if let since, let time = Instant(rfc3339: text("time")), time < since { return false }
        if onlyRefused, (line["status"]?.integerValue ?? 0) < 400 { return false }
        return true
    }
}

/// A place in the audit log: a file, and how many lines come before.
package struct AuditPlace: Sendable, Hashable, CustomStringConvertible {
    let file: Int64
    let line: Int

    init(file: Int64, line: Int) { (self.file, self.line) = (file, line) }

    /// As `description` writes it.
    package init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "-", omittingEmptySubsequences: false)
        guard parts.count == 2, let file = Int64(parts[0]), let line = Int(parts[1]), line >= 0 else { return nil }
        self.init(file: file, line: line)
    }

    package var description: String { "\(file)-\(line)" }
}
