import Model
import StateStore
import Testing

@Suite struct QuotaAndVolumeTests {
    @Test func remembersHowQuotasDiffer() async throws {
        try await withState { state in
            #expect(try await state.quotas().isEmpty)
            let first = try await state.changeQuota(
                of: "ada", to: [.cpu: .most(2000), .buckets: .unlimited], resetting: [])
            #expect(first == [.cpu: .most(2000), .buckets: .unlimited])
            let second = try await state.changeQuota(of: "ada", to: [.memory: .most(5)], resetting: [.cpu])
            #expect(second == [.memory: .most(5), .buckets: .unlimited])
            #expect(try await state.quotas() == ["ada": second])
        }
    }

    @Test func remembersVolumes() async throws {
        try await withState { state in
            let volume = VolumeRecord(
                id: "1", owner: "ada", name: try VolumeName("data"), size: ByteCount(10),
                service: try ServiceName("s"), policy: .delete, created: Instant(seconds: 7))
            try await state.insert(volume)
            let again = await #expect(throws: StateStoreError.self) { try await state.insert(volume) }
            #expect(again?.code == .alreadyExists)
            let other = VolumeRecord(
                id: "2", owner: "bob", name: try VolumeName("data"), size: ByteCount(10), service: nil,
                policy: .retain, created: Instant(seconds: 8))
            try await state.insert(other)
            try await state.resize(volume: "1", to: ByteCount(20))
            var larger = volume
            larger.size = ByteCount(20)
            #expect(try await state.volumes() == [larger, other])
            try await state.delete(volume: "1")
            #expect(try await state.volumes() == [other])
        }
    }
}
