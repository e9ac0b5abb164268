// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableUpcomingFeature("InferIsolatedConformances"),
    .enableUpcomingFeature("ImmutableWeakCaptures"),
    .treatAllWarnings(as: .error),
]

// Products of other packages, by the name this manifest uses for them.
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asn1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let deque = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdbSQLite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTesting = Target.Dependency.product(name: "HummingbirdTesting", package: "hummingbird")
let jwtKit = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioFileSystem = Target.Dependency.product(name: "_NIOFileSystem", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let subprocess = Target.Dependency.product(name: "Subprocess", package: "swift-subprocess")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

// The first process of an instance runs in any image, and starts a hundred times a second: nothing is linked at its start.
let standsAlone = settings + [.unsafeFlags(["-static-stdlib"])]
let linkedAlone: [LinkerSetting] = [
    .unsafeFlags(["-static-executable"]), .unsafeFlags(["-Xlinker", "-s"], .when(configuration: .release)),
]

/// One room of the house: a target and, unless it has none, the test target of the same name.
func room(
    _ name: String,
    _ dependencies: [Target.Dependency],
    tests: [Target.Dependency]? = []
) -> [Target] {
    let source = Target.target(name: name, dependencies: dependencies, swiftSettings: settings)
    guard let tests else { return [source] }
    return [
        source,
        .testTarget(
            name: "\(name)Tests",
            dependencies: [.byName(name: name), "TestKit"] + dependencies + tests,
            swiftSettings: settings
        ),
    ]
}

let rooms: [[Target]] = [
    // Model and pure logic: no I/O.
    room("Model", [], tests: [yams]),
    // What Apus and the first process of an instance say to each other.
    room("InitWire", []),
    room("Scheduling", ["Model", deque], tests: [systemPackage]),
    room("S3Wire", ["Model", crypto, httpTypes]),
    // What several adapters stand on.
    room("DurableSQLite", ["Model", grdb, logging, nioPosix, systemPackage]),
    room(
        "S3Client",
        [
            "Model", "S3Wire", asyncHTTPClient, crypto, httpTypes, nioCore, nioFileSystem, nioHTTP1, nioSSL,
            systemPackage,
        ],
        tests: ["LoopbackServer"]
    ),
    room("YAMLDocuments", ["Model", yams]),
    room("Settings", ["Model"]),
    room("Telemetry", ["Model", logging, metrics]),
    // Adapters.
    room(
        "ObjectEngine",
        ["Model", "S3Wire", "DurableSQLite", crypto, grdb, logging, nioCore, nioPosix, nioFileSystem, systemPackage],
        tests: [grdbSQLite]
    ),
    room(
        "StateStore", ["Model", "Scheduling", "DurableSQLite", grdb, logging, systemPackage], tests: ["LoopbackServer"]),
    room("Sandboxes", ["InitWire", "Model", logging, subprocess, systemPackage, nioCore, nioPosix]),
    room(
        "Providers",
        ["Model", "S3Client", "S3Wire", asyncHTTPClient, nioCore, nioFileSystem, nioHTTP1, systemPackage],
        tests: ["LoopbackServer", subprocess]
    ),
    room(
        "Identity", ["Model", asn1, asyncHTTPClient, crypto, jwtKit, logging, nioCore, nioHTTP1, systemPackage, x509],
        tests: ["LoopbackServer"]),
    room("APIClient", ["Model", asyncHTTPClient, nioCore, nioHTTP1, nioSSL], tests: ["LoopbackServer"]),
    // Application.
    room(
        "Cluster",
        [
            "Model", "Scheduling", "ObjectEngine", "StateStore", "Sandboxes", "Providers", "Identity",
            "S3Client", "S3Wire", asyncHTTPClient, lifecycle, logging, metrics, nioCore, nioHTTP1, nioPosix,
            systemPackage,
        ],
        tests: ["ClusterTesting", "DurableSQLite", "LoopbackServer", "S3API", hummingbird, subprocess]
    ),
    // Delivery.
    room(
        "HTTPAPI",
        [
            "Model", "Cluster", "Identity", "ObjectEngine", "S3Wire", "Sandboxes", "Scheduling", "Settings",
            "StateStore", "Telemetry",
            hummingbird, httpTypes, logging, metrics, nioCore, nioHTTP1, nioPosix, systemPackage,
        ],
        tests: ["ClusterTesting", "LoopbackServer", "S3API", hummingbirdTesting]
    ),
    room(
        "S3API",
        [
            "Model", "S3Wire", "ObjectEngine", "Identity", hummingbird, hummingbirdCore, httpTypes, logging, metrics,
            nioCore, nioHTTP1, nioPosix,
        ],
        tests: ["DurableSQLite", hummingbirdTesting, nioFileSystem, systemPackage]
    ),
    room(
        "Commands",
        [
            "Model", "APIClient", "S3Client", "YAMLDocuments", argumentParser, asyncHTTPClient, nioCore, nioFileSystem,
            nioPosix, systemPackage,
        ],
        tests: ["LoopbackServer"]
    ),
    [
        .target(
            name: "TestKit",
            dependencies: ["Model", systemPackage],
            path: "Tests/TestKit",
            swiftSettings: settings
        ),
        // A whole cluster on a temporary directory, without HTTP.
        .target(
            name: "ClusterTesting",
            dependencies: [
                "Model", "Scheduling", "DurableSQLite", "ObjectEngine", "StateStore", "Sandboxes", "Cluster", "TestKit",
                "LoopbackServer",
                asyncHTTPClient, lifecycle, logging, nioCore, systemPackage,
            ],
            path: "Tests/ClusterTesting",
            swiftSettings: settings
        ),
        // A small HTTP server on 127.0.0.1 that answers as a test says, for the tests of clients.
        .target(
            name: "LoopbackServer",
            dependencies: ["Model", nioCore, nioHTTP1, nioPosix, systemPackage],
            path: "Tests/LoopbackServer",
            swiftSettings: settings
        ),
        .executableTarget(
            name: "apus-init",
            dependencies: ["InitWire"],
            swiftSettings: standsAlone,
            linkerSettings: linkedAlone
        ),
        .executableTarget(
            name: "apus",
            dependencies: [
                "apus-init",
                "Cluster", "Commands", "DurableSQLite", "HTTPAPI", "Identity", "Model", "ObjectEngine", "Providers",
                "S3API", "S3Client",
                "Sandboxes", "Scheduling", "Settings", "StateStore", "Telemetry", "YAMLDocuments", argumentParser,
                asyncHTTPClient,
                hummingbird, hummingbirdCore, lifecycle, logging, metrics, nioCore,
                nioHTTP1, nioPosix, systemPackage,
                nioSSL, unixSignals,
            ],
            swiftSettings: settings
        ),
    ],
]

var targets = rooms.flatMap { $0 }

// Build one room alone: `APUS_ONLY=S3API swift build --build-tests` leaves every target out that S3API does not need.
if let only = Context.environment["APUS_ONLY"], !only.isEmpty {
    let byName = Dictionary(uniqueKeysWithValues: targets.map { ($0.name, $0) })
    var kept: Set<String> = []
    func keep(_ name: String) {
        guard let target = byName[name], kept.insert(name).inserted else { return }
        for dependency in target.dependencies {
            if case .byNameItem(let inner, _) = dependency { keep(inner) }
        }
    }
    for name in only.split(separator: ",") {
        keep(String(name))
        keep("\(name)Tests")
    }
    // A build-time need that no dependency may say: tests would link what they depend on.
    if kept.contains("SandboxesTests") { keep("apus-init") }
    targets = targets.filter { kept.contains($0.name) }
}

let package = Package(
    name: "apus",
    platforms: [.macOS(.v15)],
    products: ["apus", "apus-init"].filter { name in targets.contains { $0.name == name } }
        .map { .executable(name: $0, targets: [$0]) },
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.0"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.0"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.0"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.0"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/swiftlang/swift-subprocess", from: "1.0.2", traits: []),
    ],
    targets: targets,
    swiftLanguageModes: [.v6]
)
