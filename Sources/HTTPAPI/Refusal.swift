import HTTPTypes
import Model

/// How those are answered who may not do what they want to, as far as OSCAR has words for it in OSCAR's words
/// (oscar-api.md, sections 3 to 7).
enum Refusal {
    /// Those whose name would change nothing are asked for another one before anything is looked up.
    ///
    /// - Throws: `TextError` 401.
    static func checkKnown(_ principal: Principal, _ allowed: Relation) throws {
        switch principal {
        case .administrator, .user: break
        case .service: guard allowed.contains(.itself) else { throw LoginAnswer.unauthorized }
        case .anonymous: guard allowed.contains(.anyone) else { throw LoginAnswer.unauthorized }
        }
    }

    static func of(_ action: Action.OfCluster, _ principal: Principal) -> TextError {
        guard case .user = principal else { return LoginAnswer.unauthorized }
        return switch action {
        case .changeConfig: TextError(.unauthorized, "\"\"")  // as OSCAR says it
        case .readSystemLogs: TextError(.forbidden, "OIDC tokens are not allowed for system logs")
        default: TextError(.forbidden, "User '\(principal.name)' is not authorised: this is the administrator's")
        }
    }

    static func of(_ action: Action.OfService, _ principal: Principal, _ service: ServiceDefinition) -> TextError {
        let user = principal.name
        switch principal {
        case .service, .anonymous: return LoginAnswer.unauthorized
        case .administrator, .user: break
        }
        switch action {
        case .read:
            return TextError(.forbidden, "User \(user) doesn't have permision to get this service")
        case .delete:
            return TextError(.forbidden, "User \(user) doesn't have permision to delete this service")
        case .update, .transfer, .editFederation, .pause, .changeBackfills, .changeDeliveries:
            return TextError(.forbidden, "User \(user) doesn't have permision to modify this service")
        case .run, .postJob:
            guard principal.may(.read, service) else { return missing(action, service.name) }
            return TextError(
                .unauthorized, "this user isn't enrrolled on the vo: \(service.virtualOrganisation)")
        case .steer, .readDeployment, .readDeploymentLogs, .reachExposed, .readCredentials, .listJobs, .removeJobs,
            .readAllJobs, .readFederation, .readBackfills, .readSchedules, .readMetrics:
            return TextError(.forbidden, "You do not have permission to access this service")
        }
    }

    static func of(_ action: Action.OfBucket, _ principal: Principal) -> TextError {
        TextError(.forbidden, "User '\(principal.name)' is not authorised")
    }

    static func of(_ action: Action.OfUser, _ principal: Principal) -> TextError { TextError(.forbidden, "forbidden") }

    /// There is no such service, or to whoever asks it is as if there were none.
    static func missing(_ action: Action.OfService, _ name: ServiceName) -> TextError {
        switch action {
        case .run, .postJob, .pause: TextError(.notFound, "there is no service \"\(name)\"")
        default: TextError(.notFound, "")
        }
    }
}
