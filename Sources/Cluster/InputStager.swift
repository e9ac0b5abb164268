import Model
import ObjectEngine
import S3Wire
import Sandboxes
import SystemPackage

/// What an invocation gets beside its script: the staged file and the variables that speak of it.
struct PreparedInput: Sendable {
    var event: InvocationEvent
    /// Name in the input folder; `nil` where the function fetches the input by itself.
    var fileName: String?
    var environment: [String: String] = [:]
    var size = ByteCount.zero

    /// What every invocation of a service sees, and the program of an instance.
    static func environment(of definition: ServiceDefinition) -> [String: String] {
        var environment = definition.environment.variables
        environment.merge(definition.environment.secrets) { _, secret in secret }
        environment["OSCAR_SERVICE_NAME"] = definition.name.text
        environment["OSCAR_SERVICE_TOKEN"] = definition.token
        environment["OSCAR_SERVICE_BASE_PATH"] = ""
        return environment
    }

    /// The sandbox's order for this input.
    func invocation(of service: RegisteredService, id: String, in folder: WorkFolder) -> SandboxInvocation {
        let definition = service.definition
        var environment = Self.environment(of: definition)
        environment.merge(self.environment) { _, own in own }
        environment["JOB_UUID"] = id
        if let trace = TraceContext.current { environment["TRACEPARENT"] = trace.traceparent }
        return SandboxInvocation(
            id: id,
            image: definition.image.isEmpty ? nil : definition.image,
            workDirectory: folder.sandbox,
            inputDirectory: folder.input,
            outputDirectory: folder.output,
            configDirectory: service.configuration,
            inputFileName: fileName,
            environment: environment,
            cpu: definition.cpuLimit,
            memory: definition.memoryLimit,
            timeout: definition.timeout
        )
    }
}

/// Brings an invocation's input into its input folder (supervisor.md section 5).
struct InputStager: Sendable {
    /// The kernel takes no larger variable (`MAX_ARG_STRLEN`, 32 pages), with its name and the end.
    private static let maximumVariable = 128 << 10

    /// Bringing in more than this takes its time.
    static let longWay = ByteCount.mebibytes(16)

    let store: ObjectStore

    /// How much an event says that there is to be brought in.
    func size(of bytes: [UInt8], for service: RegisteredService) -> ByteCount {
        guard !service.definition.fileStageIn, let object = Self.localObject(of: InvocationEvent.classify(bytes)),
            !object.isRemoval
        else { return .zero }
        let size = object.document["Records"]?[0]?["s3"]?["object"]?["size"]?.integerValue
        return ByteCount(max(0, size ?? 0))
    }

    /// Stages what an event names, or the event itself.
    ///
    /// - Throws: `JobFailure` where the object is gone, and where the service's owner may not read it.
    func stage(
        event bytes: [UInt8],
        for service: RegisteredService,
        in folder: WorkFolder
    ) async throws -> PreparedInput {
        let event = InvocationEvent.classify(bytes)
        var input = PreparedInput(event: event)
        for (name, value) in event.queryParameters { input.environment["CONT_VAR_\(name)"] = value }
        if let text = event.environmentText, text.utf8.count < Self.maximumVariable - 16 {
            input.environment["EVENT"] = text
        }
        if let object = Self.localObject(of: event) {
            input.environment["STORAGE_OBJECT_KEY"] = object.key.text
            if !object.time.isEmpty { input.environment["EVENT_TIME"] = object.time }
            if object.isRemoval {
                // There is no object any more: the function gets the word that it went.
                try await write(bytes, into: &input, in: folder)
            } else if !service.definition.fileStageIn {
                try await checkReading(object, service.definition)
                try await stage(object, into: &input, in: folder)
            }
        } else if case .unknown(let payload) = event.innermost {
            input.environment["EVENT"] = variable(payload)
            try await write(payload.bytes, into: &input, in: folder)
        } else {
            // No keys for that storage: the function gets the event itself, as OSCAR's supervisor does.
            try await write(bytes, into: &input, in: folder)
        }
        return input
    }

    /// The object that the event names, where it lies in this cluster's own store.
    static func localObject(of event: InvocationEvent) -> InvocationEvent.ObjectReference? {
        guard case .object(let object) = event.innermost, object.source == .minio else { return nil }
        guard let provider = event.delegatedProvider else { return object }
        return provider == ProviderID.defaultName || ProviderID(provider) == .clusterStore ? object : nil
    }

    /// The payload as a variable's value, where it is text that fits.
    private func variable(_ payload: InvocationEvent.Payload) -> String? {
        switch payload {
        case .jsonObject(let bytes), .json(let bytes):
            bytes.count < Self.maximumVariable - 16 ? String(validating: bytes, as: UTF8.self) : nil
        case .empty, .decoded, .raw: nil
        }
    }

    private func stage(
        _ object: InvocationEvent.ObjectReference,
        into input: inout PreparedInput,
        in folder: WorkFolder
    ) async throws {
        let name = object.fileName
        guard !name.isEmpty, name != ".", name != "..", name.utf8.count <= 255 else {
            throw JobFailure(.input, message: "the last part of the key \"\(object.key)\" cannot be the name of a file")
        }
        while let record = try await find(object) {
            do throws(ObjectStoreError) {
                try await store.export(record, to: folder.input.appending(name))
                input.fileName = name
                input.size = record.size
                return
            } catch {
                // Somebody wrote the object anew between the two steps: the function gets what is there now.
                guard error.code == .contentReplaced else { throw error }
            }
        }
        throw JobFailure(
            .input,
            message:
                "the object \(object.bucket)/\(object.key) is not there any more; it was deleted before the job ran"
        )
    }

    private func checkReading(
        _ object: InvocationEvent.ObjectReference,
        _ service: ServiceDefinition
    ) async throws {
        let isAllowed = try await BucketAccess(store: store).allowsOwner(
            of: service, .getObject, object.bucket, key: object.key)
        guard isAllowed == false else { return }
        throw JobFailure(
            .input,
            message: "the owner of the service, \(service.owner), may not read \(object.bucket)/\(object.key)")
    }

    private func find(_ object: InvocationEvent.ObjectReference) async throws(ObjectStoreError) -> ObjectRecord? {
        do {
            return try await store.object(object.key, in: object.bucket)
        } catch {
            if error.code == .noSuchBucket { return nil }
            throw error
        }
    }

    private func write(_ bytes: [UInt8], into input: inout PreparedInput, in folder: WorkFolder) async throws {
        let name = "event-file-\(UniqueID.uuid())"
        let path = folder.input.appending(name)
        try await Folder.offload { try Folder.writeFile(path, bytes) }
        input.fileName = name
        input.size = ByteCount(Int64(bytes.count))
    }
}

extension InvocationEvent.ObjectReference {
    /// Whether the event says that the object went, rather than that it came.
    fileprivate var isRemoval: Bool {
        let name = document["Records"]?[0]?["eventName"]?.stringValue ?? ""
        return ObjectEvent.Cause(rawValue: name).map { !$0.isCreation } ?? false
    }
}
