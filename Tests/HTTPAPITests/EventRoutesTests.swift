import Cluster
import ClusterTesting
import HTTPTypes
import Model
import TestKit
import Testing

@Suite("Events over HTTP", .serialized, .timeLimit(.minutes(2)))
struct EventRoutesTests {
    @Test("events come in pages with their jobs, and wrong questions are refused")
    func events() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("s", script: "true", input: ["data/in"])
            try await api.cluster.put("1", "in/a", in: "data")
            try await api.cluster.put("1", "elsewhere", in: "data")
            try await api.cluster.ended(1)
            let all = try await eventually("two events") {
                let json = try await api.send(.get, "/apus/v1/events").expect(200).json()
                return json["events"]?.arrayValue?.count == 2 ? json : nil
            }
            #expect(all["events"]?[0]?["reason"]?.stringValue == "the inputs in the bucket data are other folders")
            #expect(all["events"]?[1]?["jobs"]?[0]?["state"]?.stringValue == "succeeded")
            let page = try await api.send(.get, "/apus/v1/events?limit=1").expect(200).json()
            let next = try #require(page["next"]?.integerValue)
            let rest = try await api.send(.get, "/apus/v1/events?limit=1&before=\(next)").expect(200).json()
            #expect(rest["events"]?[0]?["key"]?.stringValue == "in/a")
            #expect(
                try await api.send(.get, "/apus/v1/events?bucket=other").json()["events"]?.arrayValue?.isEmpty == true)
            for query in ["limit=0", "limit=x", "before=-1", "after=x", "bucket=_"] {
                try await api.send(.get, "/apus/v1/events?\(query)").expect(400)
            }
            try await api.send(.get, "/apus/v1/events", authorization: nil).expect(401)
        }
    }
}
