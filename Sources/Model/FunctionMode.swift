/// How a service's script is run (ours; `mode` of a definition).
package enum FunctionMode: String, Sendable, Hashable, CaseIterable {
    /// The script is executed for each invocation, as in OSCAR.
    case script
    /// The script starts one program that reads a line of JSON for each invocation and answers with one.
    case resident
    /// The script starts one program that serves HTTP.
    case server
}

/// Where the program of a service in the mode `server` listens, inside its sandbox.
package struct FunctionServer: Sendable, Hashable {
    package static let defaultPort = 8080
    package static let defaultHealthPath = "/"

    /// From 1 to 65535; the program finds it in `PORT`.
    package let port: Int
    /// The target of the request that says whether the program is ready: begins with `/`, visible ASCII only.
    package let healthPath: String

    /// - Parameter healthPath: A slash is put before it where it has none.
    package init?(port: Int = Self.defaultPort, healthPath: String = Self.defaultHealthPath) {
        let path = healthPath.hasPrefix("/") ? healthPath : "/" + healthPath
        let isVisible = path.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "#") }
        guard (1...65_535).contains(port), path.utf8.count <= 1024, isVisible else { return nil }
        (self.port, self.healthPath) = (port, path)
    }
}

extension FunctionServer {
    /// What the program of an exposed service finds (oscar-api.md 4.2): the first of its ports is the routed one, and
    /// with `rewrite_target` the probe's path begins as the public one does, unless `probe_mode` is `direct`.
    init?(_ expose: ServiceDefinition.Expose, service: ServiceName) {
        guard let port = expose.ports.first,
            let own = FunctionServer(port: port, healthPath: expose.healthPath)
        else { return nil }
        let seesPublicPath = expose.rewriteTarget && expose.probeMode != "direct"
        let prefix = seesPublicPath ? "/system/services/\(service.text)/exposed" : ""
        self.init(port: port, healthPath: prefix + own.healthPath)
    }

    /// Reads `server` of a service; without one the defaults.
    static func read(_ reader: FieldReader?) throws(ServiceSpecificationError) -> FunctionServer? {
        guard let reader else { return FunctionServer() }
        let port = try reader.count("port", default: defaultPort)
        guard (1...65_535).contains(port) else {
            throw reader.invalid("port", "a port is a number from 1 to 65535")
        }
        let path = try reader.string("health_path")
        guard let server = FunctionServer(port: port, healthPath: path) else {
            throw reader.invalid("health_path", unsuitablePath)
        }
        return server
    }

    static var unsuitablePath: String {
        "must be a path of visible ASCII characters without \"#\", at most 1024 of them, as \"/health\""
    }

    func json() -> JSONValue { .object(["port": .integer(port), "health_path": .string(healthPath)]) }
}
