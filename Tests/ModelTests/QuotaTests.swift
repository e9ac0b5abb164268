import Model
import Testing

@Suite struct QuotaTests {
    @Test func readsLimitsInTheirUnits() throws {
        let quota = try Quota(text: "cpu=1500m, memory=2Gi,buckets=10,max-disk-per-volume=5Gi")
        #expect(quota.cpu == MilliCPU(1500) && quota.memory == ByteCount(2 << 30) && quota.buckets == 10)
        #expect(quota.largestVolume == ByteCount(5 << 30) && quota.volumes == nil && !quota.isUnlimited)
        #expect(Quota().isUnlimited)
    }

    @Test(arguments: ["cpu", "cpu=", "cpu=x", "cpu=1,cpu=2", "cores=2", "buckets=1.5", "", "=2", "cpu=-1"])
    func refusesWhatIsNoLimit(text: String) {
        #expect(throws: QuantityError.self) { try Quota(text: text) }
    }

    @Test(arguments: QuotaField.allCases, [0, 1, 999, 1000, 1024, 1536 << 20, 5 << 30, 1 << 40] as [Int64])
    func writesWhatItReads(field: QuotaField, amount: Int64) throws {
        #expect(try field.amount(field.text(amount)) == amount)
    }

    @Test func overridesBeatTheStandard() throws {
        let standard = try Quota(text: "cpu=2,memory=2Gi,buckets=3")
        let quota = standard.with([.cpu: .most(500), .buckets: .unlimited, .volumes: .most(1)])
        #expect(quota.cpu == MilliCPU(500) && quota.memory == ByteCount(2 << 30))
        #expect(quota.buckets == nil && quota.volumes == 1)
    }

    @Test func readsARequest() throws {
        let request = try QuotaRequest(
            JSONValue.parse(
                #"{"CPU":"2","memory":"default","ephemeral-storage":"1Gi","gpu":1,"volumes":{"disk":"none","volumes":"3"},"#
                    + #""minio":{"buckets":"0","storage_per_bucket":"5Gi"},"unknown":[]}"#))
        #expect(request.resets == [.memory])
        #expect(
            request.overrides == [
                .cpu: .most(2000), .ephemeralStorage: .most(1 << 30), .gpu: .most(1), .volumeBytes: .unlimited,
                .volumes: .most(3), .buckets: .unlimited, .bucketBytes: .most(5 << 30),
            ])
        let other = try QuotaRequest(JSONValue.parse(#"{"ephemeral_storage":"2Gi"}"#))
        #expect(other.overrides == [.ephemeralStorage: .most(2 << 30)])
    }

    @Test(arguments: [#"{}"#, #"{"gpu":"1"}"#, #"{"cpu":"","memory":null,"volumes":{},"minio":null}"#])
    func refusesARequestForNothing(text: String) throws {
        let json = try JSONValue.parse(text)
        let error = #expect(throws: QuotaRequestError.self) { try QuotaRequest(json) }
        #expect(error == .nothing)
        #expect(error?.description == "cpu, memory, ephemeral_storage, volumes or minio must be provided")
    }

    @Test(arguments: [
        #"[]"#, #"{"cpu":"two"}"#, #"{"cpu":true}"#, #"{"volumes":"3"}"#, #"{"minio":{"buckets":"1.5"}}"#,
        #"{"volumes":{"min_disk_per_volume":"2Gi","max_disk_per_volume":"1Gi"}}"#,
    ])
    func refusesAMalformedRequest(text: String) throws {
        let json = try JSONValue.parse(text)
        let error = #expect(throws: QuotaRequestError.self) { try QuotaRequest(json) }
        #expect(error != .nothing)
    }

    @Test(arguments: ["", "-a", "a-", "A", "a.b", "a/b", "..", String(repeating: "a", count: 64)])
    func refusesNamesOfVolumes(text: String) {
        let error = #expect(throws: NameError.self) { try VolumeName(text) }
        #expect(error?.message.hasPrefix("volume.name must satisfy Kubernetes DNS-1123 naming rules") == true)
    }

    @Test(arguments: ["/", "/tmp", "/proc/self", "/a/../b", "/oscar/config", "/dev", "/apus/files", "relative", "//"])
    func refusesPathsOfVolumes(path: String) throws {
        let json = try JSONValue.parse(
            #"{"name":"s","image":"i","script":"x","volume":{"size":"1Gi","mount_path":"\#(path)"}}"#)
        #expect(throws: ServiceSpecificationError.self) { try ServiceDefinition.parse(json) }
    }
}
