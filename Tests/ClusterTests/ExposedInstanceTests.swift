import ClusterTesting
import Glibc
import LoopbackServer
import Model
import Scheduling
import SystemPackage
import TestKit
import Testing

@testable import Cluster

/// The instances of exposed services, in a whole cluster.
@Suite("Instances of exposed services", .serialized, .timeLimit(.minutes(3)))
struct ExposedInstanceTests {
    /// Answers with its number; a worker of it uses the processor where there is a file.
    private static func program(busy: FilePath) -> String {
        """
        exec python3 -c '
        import http.server, os, threading, time
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200); self.end_headers(); self.wfile.write(str(os.getpid()).encode())
            def log_message(self, *_): pass
        def work():
            while True:
                if not os.path.exists("\(busy)"): time.sleep(0.02)
        threading.Thread(target=work, daemon=True).start()
        http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()'
        """
    }

    private static func exposed(_ expose: JSONObject, _ instances: JSONObject = [:]) -> JSONObject {
        var expose = expose
        expose["api_port"] = .integer(8080)
        return ["expose": .object(expose), "instances": .object(instances)]
    }

    private func withCluster(
        _ body: @escaping @Sendable (ClusterFixture, ServiceName, _ busy: FilePath) async throws -> Void
    ) async throws {
        let name = try ServiceName("page")
        try await TemporaryFolder.with { folder in
            try await ClusterFixture.serve(at: folder.appending("data")) { cluster in
                try await body(cluster, name, folder.appending("busy"))
            }
            #expect(try Folder.entries(folder.appending("data/instances")).isEmpty)
        }
    }

    @Test("more instances come while they use more than cpu_threshold, and not more than max_scale")
    func processorTime() async throws {
        try await withCluster { cluster, name, busy in
            try await cluster.create(
                "page", script: Self.program(busy: busy),
                more: Self.exposed(["min_scale": .integer(1), "max_scale": .integer(3), "cpu_threshold": .integer(50)]))
            func ready() -> Int { cluster.scheduler.instanceState(of: name).ready }
            try await eventually("the first one") { ready() == 1 }
            let scaling = cluster.scheduler.scaling
            func count() async -> Int {
                await scaling.look(cluster.scheduler)
                return ready()
            }
            // It has been measured, and does nothing.
            let begin = ContinuousClock.now
            try await eventually("two seconds") {
                let count = await count()
                #expect(count == 1)
                return ContinuousClock.now - begin > .seconds(2)
            }
            try busy.write([1])
            try await eventually("as many as there may be") { await count() == 3 }
            #expect(cluster.scheduler.instanceState(of: name).busy == 0)
        }
    }

    @Test("while a service is restarted there is always an instance that answers")
    func restart() async throws {
        try await withCluster { cluster, name, busy in
            try await cluster.create(
                "page", script: Self.program(busy: busy), more: Self.exposed(["min_scale": .integer(2)]))
            func state() -> Admission.InstanceState { cluster.scheduler.instanceState(of: name) }
            try await eventually("both") { state().ready == 2 }
            let old = Set(try cluster.names(cluster.data.instances))
            let desk = InstanceDesk(scheduler: cluster.scheduler, catalog: cluster.catalog, registry: cluster.registry)
            // One of the two is answering something meanwhile.
            let long = try #require(desk.servers.enterAtOnce(name))
            try await desk.exposed.restart(name)
            var served: Set<String> = []
            func serve() -> Bool {
                guard let seat = desk.servers.enterAtOnce(name) else { return false }
                served.insert(seat.socket.string)
                seat.leave()
                return true
            }
            try await eventually("the idle one is replaced, and a new one is there for the other") {
                #expect(serve())
                let left = Set(try cluster.names(cluster.data.instances)).intersection(old)
                return left.count == 1 && state().ready == 3 && state().busy == 1
            }
            long.leave()
            try await eventually("no old one is left") {
                #expect(serve())
                return Set(try cluster.names(cluster.data.instances)).isDisjoint(with: old)
            }
            #expect(state().ready == 2 && served.count >= 2)
        }
    }
}
