extension ServiceDefinition {
    /// How many instances serve synchronous runs.
    package struct Synchronous: Sendable, Hashable {
        package var minimumScale = 0
        /// 0 for no limit.
        package var maximumScale = 0

        package init(minimumScale: Int = 0, maximumScale: Int = 0) {
            self.minimumScale = minimumScale
            self.maximumScale = maximumScale
        }
    }

    /// Which messages of the runtime the job's log shows.
    package enum LogLevel: String, Sendable, Hashable, CaseIterable {
        case notSet = "NOTSET"
        case debug = "DEBUG"
        case info = "INFO"
        case warning = "WARNING"
        case error = "ERROR"
        case critical = "CRITICAL"
    }

    package struct Environment: Sendable, Hashable {
        package var variables: [String: String] = [:]
        /// Given to the function like variables, never shown to a client.
        package var secrets: [String: String] = [:]

        package init(variables: [String: String] = [:], secrets: [String: String] = [:]) {
            self.variables = variables
            self.secrets = secrets
        }
    }

    /// Who may see and invoke the service (oscar-api.md 1.4).
    package enum Visibility: String, Sendable, Hashable, CaseIterable {
        case `private`, restricted, `public`
    }

    package enum IsolationLevel: String, Sendable, Hashable, CaseIterable {
        /// Not said; the same as `service`.
        case unset = ""
        case service = "SERVICE"
        /// Each allowed user has a bucket of their own.
        case user = "USER"
    }

    /// Another cluster and how to sign in there.
    package struct ClusterReference: Sendable, Hashable {
        package var endpoint = ""
        package var user = ""
        package var password = ""
        package var verifiesTLS = true

        package init(
            endpoint: String = "",
            user: String = "",
            password: String = "",
            verifiesTLS: Bool = true
        ) {
            self.endpoint = endpoint
            self.user = user
            self.password = password
            self.verifiesTLS = verifiesTLS
        }
    }

    /// A long-running HTTP service instead of jobs (oscar-api.md 4.2).
    package struct Expose: Sendable, Hashable {
        package var minimumScale = 0
        package var maximumScale = 0
        /// Empty where the service is not exposed.
        package var ports: [Int] = []
        /// In percent.
        package var cpuThreshold = 0
        package var rewriteTarget = false
        package var nodePorts: [Int] = []
        package var defaultCommand = false
        package var setAuth = false
        package var authType = ""
        package var healthPath = ""
        package var probeMode = ""

        package init() {}

        package var isExposed: Bool { !ports.isEmpty }
    }

    /// The same service on other clusters (oscar-api.md 4.4).
    package struct Federation: Sendable, Hashable {
        package enum Topology: String, Sendable, Hashable, CaseIterable {
            case none, star, mesh
        }

        package var groupID = ""
        package var topology = Topology.none
        /// `static`, `random`, `load-based` or `topsis`; empty where not said.
        package var delegation = ""
        /// In seconds.
        package var reschedulerThreshold = 0
        package var members: [Member] = []

        package init() {}
    }

    /// One member of a federation.
    package struct Member: Sendable, Hashable {
        package enum Kind: String, Sendable, Hashable, CaseIterable {
            case oscar, endpoint
        }

        package var kind: Kind
        package var clusterID = ""
        package var serviceName = ""
        package var url = ""
        package var verifiesTLS = false
        /// 0 comes first.
        package var priority = 0
        package var headers: [String: String] = [:]

        package init(kind: Kind) { self.kind = kind }
    }

    /// Disk space that outlives an invocation (oscar-api.md section 8).
    package struct Volume: Sendable, Hashable {
        package var name = ""
        package var size: Quantity?
        package var mountPath: String
        /// `delete` or `retain`; empty where not said.
        package var lifecyclePolicy = ""

        package init(mountPath: String) { self.mountPath = mountPath }
    }

    /// A model server beside the function (oscar-api.md 4.1, row `kserve`).
    package struct KServe: Sendable, Hashable {
        package enum Kind: String, Sendable, Hashable, CaseIterable {
            case inference
            case languageModel = "llm_inference"
        }

        package var kind: Kind
        package var modelFormat = ""
        package var runtime = ""
        package var runtimeImage = ""
        package var storageURI: String
        package var apiVersion = "v1"
        package var minimumScale = 0
        package var maximumScale = 1
        package var cpu = ServiceDefaults.cpu
        package var memory = ServiceDefaults.memory
        package var arguments: [String] = []
        package var environment: [String: String] = [:]
        package var enableGPU = false
        package var setAuth = true

        package init(kind: Kind, storageURI: String) {
            self.kind = kind
            self.storageURI = storageURI
        }
    }
}
