import Cluster
import ClusterTesting
import HTTPTypes
import Model
import StateStore
import TestKit
import Testing

@Suite("Schedules and backfills over HTTP", .serialized, .timeLimit(.minutes(2)))
struct TriggerRoutesTests {
    @Test("schedules are listed with their next time, and a service's own definition shows them")
    func schedules() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create(
                "s", script: "true", more: ["schedule": try JSONValue.parse(#"["0 2 * * *",{"rate":"1h","name":"n"}]"#)]
            )
            let all = try await api.send(.get, "/apus/v1/schedules").expect(200).json()
            let first = try #require(all["schedules"]?[0])
            #expect(first["expression"]?.stringValue == "0 2 * * *")
            #expect(first["next"]?.stringValue?.hasSuffix("T02:00:00Z") == true)
            #expect(all["schedules"]?[1]?["name"]?.stringValue == "n")
            let definition = try await api.send(.get, "/system/services/s").expect(200).json()
            #expect(definition["schedule"]?[1]?["rate"]?.stringValue == "1 hour")
            try await api.send(.get, "/apus/v1/schedules?service=none").expect(404)
            try await api.send(.get, "/apus/v1/schedules?service=%20").expect(400)
            try await api.send(.get, "/apus/v1/schedules", authorization: nil).expect(401)
        }
    }

    @Test("a backfill is ordered, looked at, listed and cancelled")
    func backfills() async throws {
        try await APIFixture.run { api in
            try await api.cluster.create("s", script: "true", input: ["data/in"])
            let path = "/apus/v1/services/s/backfills"
            let begun = try await api.send(.post, path, json: .object(["bucket": .string("data")])).expect(202).json()
            let id = try #require(begun["id"]?.integerValue)
            #expect(begun["token"]?.stringValue == "data/")
            try await eventually("it is done") {
                try await api.send(.get, "\(path)/\(id)").expect(200).json()["state"]?.stringValue == "done"
            }
            let list = try await api.send(.get, path).expect(200).json()
            #expect(list["backfills"]?.arrayValue?.count == 1)
            try await api.send(.delete, "\(path)/\(id)").expect(200)
            for (body, status) in [
                (#"{"bucket":"x"}"#, 400), (#"{"bucket":"nowhere"}"#, 404), (#"{"bucket":1}"#, 400), ("{", 400),
                (#"{"bucket":"data","since":"yesterday"}"#, 400), (#"{"bucket":"data","dry_run":1}"#, 400),
                (#"{"bucket":"data","prefix":"out/"}"#, 400),
            ] { try await api.send(.post, path, body: Array(body.utf8)).expect(status) }
            try await api.send(.get, "\(path)/77").expect(404)
            try await api.send(.get, "\(path)/x").expect(404)
            try await api.send(.get, "/apus/v1/services/none/backfills").expect(404)
        }
    }
}
