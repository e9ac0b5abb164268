// Who may do what: the table. An action that is not given to somebody here is denied.

extension Action.OfCluster {
    /// Whom it is given to, beside the administrator.
    package var allowed: Relation {
        switch self {
        case .readHealth, .readPrometheus, .askForAccess, .readAPIDescription: .anyone
        case .readInfo, .readConfig, .readStatus, .readMetrics, .readOneself: .user
        case .listImages, .listDeliveries, .changeDeliveries, .listEvents, .listSchedules: .user
        case .listServices, .createService, .updateServices, .listJobs, .changeJobs: .user
        case .listBuckets, .createBucket, .updateBuckets, .listVolumes, .createVolume: .user
        case .readWholeStatus, .readSystemLogs, .readAudit, .listUsers: .operator
        case .changeConfig, .changeImages, .steerWebhooks, .changeUsers: []
        }
    }
}

extension Action.OfService {
    /// Whom it is given to, beside the administrator.
    package var allowed: Relation {
        switch self {
        case .read, .readDeployment, .listJobs, .removeJobs, .readMetrics: [.owner, .member]
        case .run, .postJob, .reachExposed: [.owner, .member, .itself]
        case .readCredentials, .update, .delete, .transfer, .steer, .pause: .owner
        case .readDeploymentLogs, .readAllJobs, .readFederation, .editFederation: .owner
        case .readBackfills, .changeBackfills, .readSchedules, .changeDeliveries: .owner
        }
    }

    /// Whether a user must belong to the service's virtual organisation, where it has one.
    var needsEnrolment: Bool {
        switch self {
        case .run, .postJob: true
        case .read, .readDeployment, .listJobs, .removeJobs, .readMetrics, .reachExposed, .readCredentials, .update,
            .delete, .transfer, .steer, .pause, .readDeploymentLogs, .readAllJobs, .readFederation, .editFederation,
            .readBackfills, .changeBackfills, .readSchedules, .changeDeliveries:
            false
        }
    }
}

extension Action.OfJob {
    /// Whom it is given to, beside the administrator.
    package var allowed: Relation {
        switch self {
        case .read, .readLog, .cancel, .retry, .remove: [.owner, .causer]
        }
    }
}

extension Action.OfBucket {
    /// Whom it is given to, beside the administrator; policies and lists of the bucket may give more.
    package var allowed: Relation {
        switch self {
        case .list, .readObject, .writeObject, .deleteObject: [.owner, .member]
        case .deleteVersion, .readSettings, .changeSettings, .delete: .owner
        }
    }
}

extension Action.OfVolume {
    /// Whom it is given to, beside the administrator.
    package var allowed: Relation {
        switch self {
        case .read, .use, .delete: .owner
        }
    }
}

extension Action.OfUser {
    /// Whom it is given to, beside the administrator.
    package var allowed: Relation {
        switch self {
        case .read, .changeKeys: .owner
        case .readQuota: [.owner, .operator]
        case .changeQuota: []
        }
    }
}
