import Cluster
import ClusterTesting
import HTTPTypes
import LoopbackServer
import Model
import StateStore
import TestKit
import Testing

@Suite("What waits for other places", .serialized, .timeLimit(.minutes(2)))
struct DeliveryRoutesTests {
    @Test("is listed, tried, and given up")
    func destinations() async throws {
        let closed = try await LoopbackServer.closedPort()
        try await APIFixture.run { api in
            try await api.send(.get, "/apus/v1/deliveries").expect(200, #"{"destinations":[]}"#)
            try await api.send(.get, "/apus/v1/deliveries", authorization: nil).expect(401)
            let output: JSONValue = .object([
                "storage_provider": .string("minio.cloud"), "path": .string("results/o"),
            ])
            let provider: JSONValue = .object([
                "endpoint": .string("http://127.0.0.1:\(closed)"), "access_key": .string("a"),
                "secret_key": .string("secret-key"),
            ])
            try await api.cluster.create(
                "s", script: "echo 1 > \"$TMP_OUTPUT_DIR/x\"",
                more: [
                    "output": .array([output]),
                    "storage_providers": .object(["minio": .object(["cloud": provider])]),
                ])
            let job = try await api.cluster.jobs.post([], to: try ServiceName("s"), name: nil, principal: "p")
            let line = try await eventually("it has failed once") {
                let list = try await api.send(.get, "/apus/v1/deliveries").json()["destinations"]?.arrayValue ?? []
                return list.first.flatMap { $0["error"] == nil ? nil : $0 }
            }
            #expect(line["destination"]?.stringValue == "s/minio.cloud" && line["waiting"]?.integerValue == 1)
            #expect(line["bytes"]?.integerValue == 2 && line["oldest"] != nil)
            let path = "/apus/v1/deliveries"
            try await api.send(.get, "\(path)?destination=other").expect(200, #"{"destinations":[]}"#)
            try await api.send(.post, "\(path)/retry").expect(200, #"{"waiting":1}"#)
            try await api.send(.post, "\(path)/retry?destination=s/minio.cloud").expect(200, #"{"waiting":1}"#)
            try await api.send(.post, "\(path)/retry?destination=other").expect(404)
            try await api.send(.delete, path).expect(400)
            try await api.send(.delete, "\(path)?destination=other").expect(404)
            try await api.send(.delete, "\(path)?destination=s/minio.cloud").expect(200, #"{"dropped":1}"#)
            let ended = try await api.cluster.wait(job, for: .failed)
            #expect(ended.message == "results for s/minio.cloud were given up by oscar")
        }
    }
}
