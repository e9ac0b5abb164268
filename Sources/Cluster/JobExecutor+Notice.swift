import Model
import StateStore
import SystemPackage

extension JobExecutor {
    /// A larger event is left out of what a failure output is told.
    private static let largestEvent: Int64 = 256 << 10
    /// In lines.
    private static let logLength = 50

    /// What the service's failure output is told, should the attempt be the last one.
    func notice(of attempt: Attempt) async -> NewFailureNotice? {
        guard let target = attempt.service.definition.failureOutput else { return nil }
        let lines = String(decoding: attempt.log.tail, as: UTF8.self)
            .split(whereSeparator: \.isNewline).suffix(Self.logLength)
        return NewFailureNotice(target: target, event: await shownEvent(of: attempt), log: lines.map(String.init))
    }

    private func shownEvent(of attempt: Attempt) async -> [UInt8]? {
        let path = data.events.appending(attempt.job.name.text)
        guard attempt.event != nil || Folder.size(of: path) <= Self.largestEvent else { return nil }
        // Without it the notice still names the job, which has it.
        return try? await event(of: attempt)
    }
}
