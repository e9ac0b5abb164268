package import Model
import StateStore

/// Where spans go; `nil` where nobody wants them.
package typealias SpanRecorder = @Sendable (TraceSpan) -> Void

/// The spans of one attempt of a job; each is found again from the job's name, so nothing is kept of them.
struct JobTrace: Sendable {
    private let job: JobRecord
    /// That of the job's own span.
    private let context: TraceContext
    private let parent: UInt64?

    /// `nil` where the job has no trace and nobody records any.
    init?(_ job: JobRecord, isRecorded: Bool) {
        let given = job.trace.flatMap { TraceContext(traceparent: $0) }
        guard given != nil || isRecorded else { return nil }
        let name = job.name.text
        let span = TraceContext.identifier(name, "job", "\(job.attempts)")
        let trace =
            given?.trace ?? (high: TraceContext.identifier(name, "high"), low: TraceContext.identifier(name, "low"))
        guard let context = TraceContext(trace: trace, span: span, isSampled: given?.isSampled ?? true) else {
            return nil
        }
        (self.job, self.context, parent) = (job, context, given?.span)
    }

    /// What the script and its results are part of.
    var script: TraceContext { context.within(span("run")) }

    private func span(_ name: String) -> UInt64 { TraceContext.identifier(job.name.text, name, "\(job.attempts)") }

    /// The attempt's spans, once it has ended.
    func spans(_ state: JobState, _ result: AttemptResult, end: Instant) -> [TraceSpan] {
        guard context.isSampled else { return [] }
        let failure = state == .succeeded || state == .delivering ? nil : result.message ?? state.rawValue
        var whole = TraceSpan(
            context: context, parent: parent, name: "job \(job.service)", start: job.created, end: end, failure: failure
        )
        whole.attributes = [
            "apus.job.name": job.name.text, "apus.service": job.service.text, "apus.job.state": state.rawValue,
        ]
        whole.attributes["apus.job.exit_code"] = result.exitCode.map { "\($0)" }
        if let input = job.input { whole.attributes["apus.input"] = "\(input.bucket)/\(input.key)" }
        var parts: [(String, Instant, Instant)] = []
        let started = result.started ?? end
        let stagedIn = started - (result.stageIn ?? .zero)
        parts.append(("queue", job.created, max(job.created, stagedIn)))
        if let stageIn = result.stageIn { parts.append(("stage in", stagedIn, stagedIn + stageIn)) }
        let runEnd = started + (result.run ?? .zero)
        if result.run != nil { parts.append(("run", started, runEnd)) }
        if let stageOut = result.stageOut { parts.append(("stage out", runEnd, runEnd + stageOut)) }
        return [whole]
            + parts.map { name, start, end in
                TraceSpan(
                    context: context.within(span(name)), parent: context.span, name: name, start: start, end: end)
            }
    }
}
