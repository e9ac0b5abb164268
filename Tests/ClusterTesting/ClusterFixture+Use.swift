package import Cluster
import Glibc
import LoopbackServer
package import Model
import NIOCore
import ObjectEngine
package import StateStore
package import SystemPackage
import TestKit

extension ClusterFixture {
    /// Runs `body` with a cluster that serves, on a directory that is removed afterwards.
    package static func serve(
        _ options: Options = Options(),
        _ body: @escaping @Sendable (ClusterFixture) async throws -> Void
    ) async throws {
        try await TemporaryFolder.with { folder in
            try await serve(at: folder, options, body)
        }
    }

    /// As above, on a directory that stays.
    package static func serve(
        at folder: FilePath,
        _ options: Options = Options(),
        _ body: @escaping @Sendable (ClusterFixture) async throws -> Void
    ) async throws {
        try await open(at: folder, options) { cluster in
            try await cluster.recover()
            try await cluster.whileServing { try await body(cluster) }
        }
    }

    /// Runs `body` with a cluster in which nothing runs and nothing was recovered.
    package static func open(
        at folder: FilePath,
        _ options: Options = Options(),
        _ body: (ClusterFixture) async throws -> Void
    ) async throws {
        let cluster = try await ClusterFixture(at: folder, options)
        do { try await body(cluster) } catch {
            await cluster.close()
            throw error
        }
        await cluster.close()
    }

    /// A service that runs as a process, in the form of the API.
    ///
    /// - Parameters:
    ///   - input: `bucket/folder`s of the cluster's own store.
    ///   - output: as `input`.
    ///   - more: further members.
    package static func definition(
        _ name: String,
        script: String,
        input: [String] = [],
        output: [String] = [],
        more: JSONObject = [:]
    ) -> JSONValue {
        func storage(_ paths: [String]) -> JSONValue {
            .array(paths.map { .object(["storage_provider": .string("minio.default"), "path": .string($0)]) })
        }
        var object: JSONObject = [
            "name": .string(name), "cpu": .string("0.1"), "memory": .string("256Mi"), "sandbox": .string("process"),
            "script": .string(script), "input": storage(input), "output": storage(output),
        ]
        for (key, value) in more.members { object[key] = value }
        return .object(object)
    }

    /// Registers such a service.
    @discardableResult
    package func create(
        _ name: String,
        script: String,
        input: [String] = [],
        output: [String] = [],
        more: JSONObject = [:]
    ) async throws -> RegisteredService {
        try await registry.create(
            Self.definition(name, script: script, input: input, output: output, more: more), owner: "cluster_admin"
        )
    }

    /// Puts an object, as a client does.
    package func put(_ text: String, _ key: String, in bucket: String) async throws {
        let staged = objects.stage()
        try await staged.write(ByteBuffer(string: text))
        _ = try await staged.finish()
        _ = try await objects.put(
            staged, as: try ObjectKey(key), in: try BucketName(bucket), attributes: ObjectAttributes(),
            origin: RequestOrigin(principal: "tester", sourceAddress: "192.0.2.1")
        )
    }

    /// The text of an object; `nil` where there is none.
    package func text(_ key: String, in bucket: String) async throws -> String? {
        guard let (_, reader) = try await objects.open(try ObjectKey(key), in: try BucketName(bucket)) else {
            return nil
        }
        var all = ByteBuffer()
        while let chunk = try await reader.next() { all.writeImmutableBuffer(chunk) }
        return String(buffer: all)
    }

    /// The keys of a bucket.
    package func keys(_ bucket: String) async throws -> [String] {
        try await objects.list(bucket: try BucketName(bucket)).objects.map(\.key.text)
    }

    /// All jobs, the oldest first.
    package func allJobs(_ service: String? = nil) async throws -> [JobRecord] {
        let filter = JobFilter(service: try service.map { try ServiceName($0) }, limit: 10_000)
        return try await state.jobs(filter).jobs.reversed()
    }

    /// Waits until a service has so many jobs and all have ended; answers them, the oldest first.
    @discardableResult
    package func ended(_ count: Int, of service: String? = nil) async throws -> [JobRecord] {
        try await eventually(
            "\(count) jobs of \(service ?? "all services") ended",
            state: { "\(try await allJobs(service))" },
            {
                let jobs = try await allJobs(service)
                return jobs.count >= count && jobs.allSatisfy(\.state.isFinal) ? jobs : nil
            }
        )
    }

    /// Waits until a job is in that state.
    @discardableResult
    package func wait(_ name: JobName, for wanted: JobState) async throws -> JobRecord {
        try await eventually(
            "\(name) is \(wanted)",
            state: { "\(String(describing: try await state.job(named: name)))" },
            { try await state.job(named: name).flatMap { $0.state == wanted ? $0 : nil } }
        )
    }

    /// What the log of a job's attempt says, without times; Apus's own sentences included.
    ///
    /// - Parameter attempt: the last one where `nil`.
    package func log(_ job: JobRecord, attempt: Int? = nil) async throws -> String {
        var bytes: [UInt8] = []
        let attempt = attempt ?? job.attempts
        for try await record in logs.records(job.service, job.name, attempt: attempt, follow: false) {
            bytes += record.bytes
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// The names in a folder of the data directory.
    package func names(_ folder: FilePath) throws -> [String] {
        guard let stream = opendir(folder.string) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while let entry = readdir(stream) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names.sorted()
    }
}

extension ServiceRegistry {
    /// Makes a service for somebody, by the name that is kept with it.
    @discardableResult
    package func create(_ json: JSONValue, owner: String) async throws -> RegisteredService {
        try await create(json, by: Principal(owner: owner))
    }

    /// Changes a service as the administrator does.
    @discardableResult
    package func update(_ json: JSONValue) async throws -> RegisteredService {
        try await update(json, by: .administrator(name: "oscar"))
    }
}
