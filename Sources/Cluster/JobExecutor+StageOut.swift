import Logging
import Model
import ObjectEngine
import Providers
import S3Wire
import Scheduling
package import StateStore
import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

extension JobExecutor {
    /// Copies results to where they belong: into this cluster's store at once, for other storages into the job's delivery folder.
    ///
    /// May be repeated after a crash: the store remembers what this job has put, and what waits for other storages is
    /// committed together with the end of the attempt.
    func stageOut(_ attempt: inout Attempt, in folder: WorkFolder) async throws {
        let start = ContinuousClock.now
        let output = folder.output
        let files = try await Folder.offload { try Folder.files(below: output) }
        let succeeded: [JobLifeCycle.Event] = attempt.job.state == .stagingOut ? [] : [.scriptSucceeded]
        if files.isEmpty || attempt.service.definition.output.isEmpty {
            attempt.result.stageOut = .zero
            attempt.job = try await record(
                succeeded + [.resultsStored(awaitingDelivery: false)], of: attempt)
            return
        }
        if !succeeded.isEmpty { attempt.job = try await record(succeeded, of: attempt) }
        let owner = steps.owner(of: attempt.job)
        let deliveries = try await distribute(
            files, of: attempt.service, for: attempt.job.name, principal: attempt.job.principal, owner: owner)
        attempt.result.stageOut = ContinuousClock.now - start
        attempt.job = try await record(
            [.resultsStored(awaitingDelivery: !deliveries.isEmpty)], of: attempt, deliveries: deliveries)
        guard !deliveries.isEmpty else { return }
        logger.info(
            "results wait for delivery",
            metadata: ["job.name": "\(attempt.job.name)", "deliveries": "\(deliveries.count)"]
        )
    }

    /// Copies the results of a synchronous run.
    ///
    /// What goes to another storage is delivered by a job that is made for that, in the run's name.
    func stageOut(
        _ files: [Folder.FoundFile],
        ofRun name: JobName,
        of service: RegisteredService,
        principal: String
    ) async throws {
        guard !files.isEmpty, !service.definition.output.isEmpty else { return }
        let deliveries = try await distribute(files, of: service, for: name, principal: principal, owner: nil)
        guard !deliveries.isEmpty else { return }
        let job = NewJob(
            name: name, service: service.name, eventSequence: nil, input: nil, principal: principal, event: nil,
            created: now()
        )
        try await state.enqueueDelivering(job, deliveries)
        deliverySignal.send()
    }

    /// Puts what belongs into this cluster's store there, and the rest into the job's delivery folder, durably.
    ///
    /// - Parameter owner: for whom the store remembers what was put; `nil` where nobody asks again.
    private func distribute(
        _ files: [Folder.FoundFile],
        of service: RegisteredService,
        for job: JobName,
        principal: String,
        owner: String?
    ) async throws -> [NewDelivery] {
        var deliveries: [NewDelivery] = []
        for (index, file) in files.enumerated() {
            let destinations = service.definition.outputs(accepting: file.name)
            if let refusal = Self.refusal(of: file, at: destinations) { throw JobFailure(.output, message: refusal) }
            for destination in destinations where destination.provider == .clusterStore {
                try Task.checkCancellation()
                try await checkWriting(file, to: destination, service.definition)
                try await putLocally(file, to: destination, principal: principal, owner: owner)
            }
            let remote = destinations.filter { $0.provider != .clusterStore }
            guard !remote.isEmpty else { continue }
            let name = "\(index)"
            try await keepForDelivery(file, as: name, of: job)
            deliveries += remote.map {
                NewDelivery(
                    provider: $0.provider.description, path: $0.path, name: file.name, file: name,
                    size: ByteCount(file.size)
                )
            }
        }
        if !deliveries.isEmpty { try await synchronizeDeliveries(of: job) }
        return deliveries
    }

    /// Why a storage could never take a result of that name, for which nobody is to wait; `nil` where all do.
    private static func refusal(of file: Folder.FoundFile, at destinations: [StorageIO]) -> String? {
        guard destinations.isEmpty || file.hasTextName else {
            return "the name of the result \"\(file.name)\" is not UTF-8; storages take no other names"
        }
        for destination in destinations {
            if destination.provider == .clusterStore {
                do { _ = try ObjectKey(destination.key(for: file.name)) } catch {
                    return "the result \"\(file.name)\" cannot be stored: \(error.message)"
                }
            } else {
                do {
                    try ProviderFactory.check(name: file.name, path: destination.path, for: destination.provider)
                } catch { return error.message }
            }
        }
        return nil
    }

    private func checkWriting(
        _ file: Folder.FoundFile,
        to destination: StorageIO,
        _ service: ServiceDefinition
    ) async throws {
        let isAllowed = try await BucketAccess(store: store).allowsOwner(
            of: service, .putObject, try BucketName(destination.bucket),
            key: try ObjectKey(destination.key(for: file.name))
        )
        guard isAllowed == false else { return }
        throw JobFailure(
            .output,
            message: "the owner of the service, \(service.owner), may not write to the bucket "
                + "\"\(destination.bucket)\" any more")
    }

    private func putLocally(
        _ file: Folder.FoundFile,
        to destination: StorageIO,
        principal: String,
        owner: String?
    ) async throws {
        do {
            try await put(file, to: destination, principal: principal, owner: owner)
            timing.stagedOut(ByteCount(file.size))
        } catch let error as ObjectStoreError where error.code == .quotaExceeded {
            throw JobFailure(
                .output, message: "the result \"\(file.name)\" cannot be stored: \(error.message)")
        } catch let error as ObjectStoreError where error.code == .noSuchBucket {
            throw JobFailure(
                .output,
                message: "the output bucket \"\(destination.bucket)\" does not exist any more; create it again")
        }
    }

    private func put(
        _ file: Folder.FoundFile,
        to destination: StorageIO,
        principal: String,
        owner: String?
    ) async throws {
        let key = try ObjectKey(destination.key(for: file.name))
        let bucket = try BucketName(destination.bucket)
        let attributes = ObjectAttributes(contentType: ContentType.guess(forName: file.name))
        let origin = RequestOrigin(principal: principal, sourceAddress: "")
        guard let owner else {
            _ = try await store.putFile(at: file.path, as: key, in: bucket, attributes: attributes, origin: origin)
            return
        }
        _ = try await store.putFile(
            at: file.path, as: key, in: bucket, attributes: attributes, onceFor: owner, origin: origin)
    }

    /// Links a result into the job's delivery folder, so that it survives the job's own folder.
    private func keepForDelivery(_ file: Folder.FoundFile, as name: String, of job: JobName) async throws {
        let target = data.deliveries.appending(job.text)
        try await Folder.offload {
            try Folder.make(target)
            let path = target.appending(name)
            if unlink(path.string) != 0, errno != ENOENT { throw Errno(rawValue: errno) }
            guard link(file.path.string, path.string) == 0 else { throw Errno(rawValue: errno) }
            try Folder.synchronize(path)
        }
    }

    private func synchronizeDeliveries(of job: JobName) async throws {
        let folder = data.deliveries
        let jobFolder = folder.appending(job.text)
        try await Folder.offload {
            try Folder.synchronize(jobFolder)
            try Folder.synchronize(folder)
        }
    }

    /// Goes on with jobs whose results were being staged out when the program ended.
    package func resumeStageOut(_ jobs: [JobRecord]) async {
        for job in jobs {
            guard let service = catalog[job.service] else { continue }
            let log = logs.writer(job.service, job.name, attempt: job.attempts)
            defer { log.close() }
            let folder = WorkFolder(root: data.work.appending(job.name.text))
            var attempt = Attempt(job: job, event: nil, service: service, log: log)
            attempt.result.exitCode = 0
            guard await hasOutput(folder) else {
                await runAgain(attempt)
                continue
            }
            do {
                try await stageOut(&attempt, in: folder)
                try await folder.remove()
            } catch {
                await fail(attempt, JobFailure(error))
            }
        }
    }

    private func hasOutput(_ folder: WorkFolder) async -> Bool {
        let output = folder.output
        // What cannot be looked at cannot be staged out either.
        return (try? await Folder.offload { try Folder.isFolder(output) }) ?? false
    }

    /// Without its results a job would succeed with nothing to show.
    private func runAgain(_ start: Attempt) async {
        var attempt = start
        logger.warning("a job's results are not there any more; it runs again", metadata: attempt.job.metadata)
        attempt.result.message = "its results were lost before they were staged out; it runs again"
        // Fails only where somebody has ended the job meanwhile.
        _ = try? await record([.resultsLost], of: attempt)
    }
}
