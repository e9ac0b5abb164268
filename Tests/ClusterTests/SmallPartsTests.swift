import ClusterTesting
import Model
import ObjectEngine
import Synchronization
import SystemPackage
import TestKit
import Testing

@testable import Cluster

@Suite("Small parts of the cluster")
struct SmallPartsTests {
    struct Oops: Error {}

    @Test("a saga undoes the last step first, and tells what it could not undo")
    func saga() async {
        let done = Mutex<[String]>([])
        var saga = Saga()
        for name in ["a", "b", "c"] {
            saga.did(name) {
                done.withLock { $0.append(name) }
                if name == "b" { throw Oops() }
            }
        }
        #expect(await saga.undoAll() == ["b: Oops()"])
        #expect(done.withLock { $0 } == ["c", "b", "a"])
        #expect(await Saga().undoAll() == [])
    }

    @Test("identifiers are UUIDs of version 4, and differ")
    func uniqueID() {
        var seen: Set<String> = []
        for _ in 0..<500 {
            let text = UniqueID.uuid()
            let parts = text.split(separator: "-")
            #expect(parts.map(\.count) == [8, 4, 4, 4, 12])
            #expect(text.allSatisfy { "0123456789abcdef-".contains($0) })
            #expect(parts[2].first == "4")
            #expect("89ab".contains(parts[3].prefix(1)))
            #expect(seen.insert(text).inserted)
        }
    }

    @Test(
        "media types by the end of the name",
        arguments: [
            ("a.png", "image/png"), ("a.PNG", "image/png"), ("x/y.z/a.json", "application/json"),
            ("a.tar.gz", "application/gzip"),
            ("a", "application/octet-stream"), ("a.", "application/octet-stream"), ("", "application/octet-stream"),
            ("x.png/a", "application/octet-stream"), (".png", "image/png"), ("a.é", "application/octet-stream"),
        ]
    )
    func contentType(name: String, type: String) { #expect(ContentType.guess(forName: name) == type) }

    @Test("rings that nobody heard count as one")
    func signal() async {
        let signal = Signal()
        for _ in 0..<5 { signal.send() }
        var rings = signal.rings.makeAsyncIterator()
        await rings.next()
        let later = Task { signal.send() }
        await rings.next()
        await later.value
    }

    // MARK: The catalog

    private func service(_ name: String, token: String, input: [String] = [], output: [String] = []) throws
        -> RegisteredService
    {
        var definition = try ServiceDefinition.parse(
            ClusterFixture.definition(name, script: "true", input: input, output: output)
        )
        definition.token = token
        return RegisteredService(
            definition: definition, version: 1, configuration: "/nowhere", sandbox: .process, madeBuckets: [],
            created: Instant(seconds: 1), updated: Instant(seconds: 1)
        )
    }

    private func event(_ bucket: BucketName, _ key: ObjectKey, _ cause: ObjectEvent.Cause = .put) -> ObjectEvent {
        ObjectEvent(
            sequence: 1, cause: cause, bucket: bucket, key: key, size: .zero, eTag: "", contentType: "",
            userMetadata: [:], time: Instant(seconds: 1), principal: "", sourceAddress: "")
    }

    private func triggered(_ catalog: ServiceCatalog, _ bucket: String, _ key: String) throws -> [String] {
        catalog.services(triggeredBy: event(try BucketName(bucket), try ObjectKey(key))).map(\.text)
    }

    @Test("an object triggers each service whose folder it lies in, once")
    func triggers() throws {
        let catalog = ServiceCatalog()
        catalog.set(try service("b", token: "1", input: ["data/in", "data/in/deep", "other/x"]))
        catalog.set(try service("a", token: "2", input: ["data/in"]))
        for (bucket, key, names): (String, String, [String]) in [
            ("data", "in/x", ["a", "b"]), ("data", "in/deep/x", ["a", "b"]), ("data", "in", []),
            ("data", "inner/x", []),
            ("data", "in/", []), ("other", "x/1", ["b"]), ("data", "x", []), ("none", "in/x", []), ("data", "IN/x", []),
        ] {
            #expect(try triggered(catalog, bucket, key) == names, "\(bucket)/\(key)")
        }
        catalog.set(try service("a", token: "2", input: ["data/elsewhere"]))
        #expect(try triggered(catalog, "data", "in/x") == ["b"])
        #expect(try triggered(catalog, "data", "elsewhere/x") == ["a"])
        catalog.remove(try ServiceName("b"))
        #expect(try triggered(catalog, "data", "in/x") == [])
        #expect(catalog.all.map(\.name.text) == ["a"])
    }

    @Test("tokens lead to their service for as long as it has them")
    func tokens() throws {
        let catalog = ServiceCatalog()
        catalog.set(try service("a", token: "1"))
        catalog.set(try service("b", token: "2"))
        #expect(catalog.service(forToken: "1")?.text == "a")
        catalog.set(try service("a", token: "3"))
        #expect(catalog.service(forToken: "1") == nil && catalog.service(forToken: "3")?.text == "a")
        catalog.remove(try ServiceName("a"))
        catalog.remove(try ServiceName("a"))
        #expect(catalog.service(forToken: "3") == nil && catalog.service(forToken: "2")?.text == "b")
    }

    @Test("a bucket is used by those who read from it or write to it")
    func isUsed() throws {
        let catalog = ServiceCatalog()
        catalog.set(try service("a", token: "1", input: ["data/in"], output: ["results/out"]))
        let (a, b) = (try ServiceName("a"), try ServiceName("b"))
        #expect(catalog.isUsed(try BucketName("data"), byOthersThan: b))
        #expect(catalog.isUsed(try BucketName("results"), byOthersThan: b))
        #expect(!catalog.isUsed(try BucketName("data"), byOthersThan: a))
        #expect(!catalog.isUsed(try BucketName("else"), byOthersThan: b))
    }
}
