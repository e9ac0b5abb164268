/// A file in the Functions Definition Language: services for one or more clusters (fdl.md).
///
/// Services are kept as they were written, so that all that is said goes to the cluster, also what this
/// program does not know.
package struct FDLDocument: Sendable, Hashable {
    /// One service, and the cluster that it is meant for.
    package struct Service: Sendable, Hashable {
        /// The key above the service: the name that the user has given a cluster, or `default-cluster`.
        package let cluster: String
        /// Where it is in the document: `functions.oscar[1].edge`.
        package let path: String
        /// As it was written; its `script` is the path of a file.
        package let json: JSONObject

        /// The name, where one is written.
        package var name: String? { json.value(ignoringCase: "name")?.scalarText }
        /// The path of the script, relative to the document's folder.
        package var scriptPath: String? { json.value(ignoringCase: "script")?.stringValue }
    }

    /// Stands for the cluster that the user has made the default.
    package static let defaultCluster = "default-cluster"

    package let services: [Service]
    /// Declared for all services.
    package let storageProviders: JSONObject
    /// Declared for all services.
    package let clusters: JSONObject

    /// Reads a document from its tree of values: `functions.oscar` is a list of maps or one map from cluster
    /// to service.
    ///
    /// - Throws: `FDLError` that says where and what.
    package init(_ tree: JSONValue) throws(FDLError) {
        let top = try Self.object(tree, at: "")
        guard let functions = top.value(ignoringCase: "functions"), !functions.isNull else {
            throw FDLError(
                path: "functions",
                problem: "is missing: an FDL file begins with functions: oscar:"
            )
        }
        let kinds = try Self.object(functions, at: "functions")
        guard let oscar = kinds.value(ignoringCase: "oscar"), !oscar.isNull else {
            throw FDLError(path: "functions.oscar", problem: "is missing: it lists the services")
        }
        var services: [Service] = []
        if case .array(let elements) = oscar {
            for (index, element) in elements.enumerated() {
                services += try Self.services(in: element, at: "functions.oscar[\(index)]")
            }
        } else {
            services = try Self.services(in: oscar, at: "functions.oscar")
        }
        guard !services.isEmpty else { throw FDLError(path: "functions.oscar", problem: "has no services") }
        self.services = services
        storageProviders = try Self.optionalObject(top, "storage_providers")
        clusters = try Self.optionalObject(top, "clusters")
    }

    private static func services(in element: JSONValue, at path: String) throws(FDLError) -> [Service] {
        var services: [Service] = []
        for (cluster, json) in try object(element, at: path).members {
            let place = "\(path).\(cluster)"
            services.append(Service(cluster: cluster, path: place, json: try object(json, at: place)))
        }
        return services
    }

    private static func object(_ value: JSONValue, at path: String) throws(FDLError) -> JSONObject {
        guard let object = value.objectValue else {
            throw FDLError(path: path, problem: "must be a map, not \(value.kindWithArticle)")
        }
        return object
    }

    private static func optionalObject(_ top: JSONObject, _ key: String) throws(FDLError) -> JSONObject {
        guard let value = top.value(ignoringCase: key), !value.isNull else { return JSONObject() }
        return try object(value, at: key)
    }
}

/// What is wrong with an FDL document, and where.
package struct FDLError: Error, Hashable, CustomStringConvertible {
    /// From the top of the document: `functions.oscar[1].edge.cpu`.
    ///
    /// Empty for the document itself.
    package let path: String
    package let problem: String

    package init(path: String, problem: String) {
        self.path = path
        self.problem = problem
    }

    package var description: String { path.isEmpty ? "the document \(problem)" : "\(path): \(problem)" }
}
