/// What somebody wants to do, and to what kind of thing.
///
/// Every route of the API and every operation of the S3 face is one of these. Who may do them stands in
/// `Action+Rules.swift`, and nowhere else.
package enum Action: Sendable, Hashable {
    case cluster(OfCluster)
    case service(OfService)
    case job(OfJob)
    case bucket(OfBucket)
    case volume(OfVolume)
    case user(OfUser)

    /// What concerns nothing in particular; lists show only what whoever asks may see.
    package enum OfCluster: String, Sendable, Hashable, CaseIterable {
        case readHealth, readPrometheus, askForAccess, readInfo, readConfig, changeConfig, readAPIDescription
        /// What the cluster has free: no word of what others do with it.
        case readStatus
        /// What all users together do.
        case readWholeStatus
        /// Of those services that whoever asks may see.
        case readMetrics
        case readSystemLogs, readAudit
        case listImages, changeImages
        /// What waits for other storages, and to hurry it or give it up; each destination is judged by its service.
        case listDeliveries, changeDeliveries
        /// What waits for the operator's webhooks.
        case steerWebhooks
        case listEvents, listSchedules
        /// `updateServices` has the service in the body, which is judged by itself.
        case listServices, createService, updateServices
        case listJobs, changeJobs
        /// `updateBuckets` has the bucket in the body, which is judged by itself.
        case listBuckets, createBucket, updateBuckets
        case listVolumes, createVolume
        case listUsers, changeUsers
        /// To learn who one is, and the keys that are one's own.
        case readOneself
    }

    package enum OfService: String, Sendable, Hashable, CaseIterable {
        case read
        /// To see its token and the keys of its storages.
        case readCredentials
        case update, delete, transfer
        /// Start, stop and restart of what is exposed.
        case steer
        case pause
        case readDeployment, readDeploymentLogs
        case run, postJob
        /// To use what it exposes, and to ask whether one may.
        case reachExposed
        /// Its jobs, as far as whoever asks may see or remove each of them.
        case listJobs, removeJobs
        case readAllJobs
        case readFederation, editFederation
        case readBackfills, changeBackfills
        case readSchedules, changeDeliveries
        case readMetrics
    }

    package enum OfJob: String, Sendable, Hashable, CaseIterable {
        case read, readLog, cancel, retry, remove
    }

    package enum OfBucket: String, Sendable, Hashable, CaseIterable {
        /// To see that it is there, what is in it, and how it is set up in general.
        case list
        case readObject, writeObject, deleteObject
        /// Of a bucket that keeps them: what nobody can bring back.
        case deleteVersion
        case readSettings
        /// Policy, sharing, lifecycle and all else that says how it is to behave.
        case changeSettings
        case delete
    }

    package enum OfVolume: String, Sendable, Hashable, CaseIterable {
        case read, use, delete
    }

    package enum OfUser: String, Sendable, Hashable, CaseIterable {
        case read, readQuota, changeQuota, changeKeys
    }
}
