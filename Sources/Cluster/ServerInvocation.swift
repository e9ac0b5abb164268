import AsyncHTTPClient
import Model
import NIOCore
import NIOHTTP1
import Sandboxes

/// One invocation by a program that answers requests: the call that a resident program would get as a line, as the body of a
/// `POST /`.
///
/// A status of 200 to 299 says that it went well; the body of the answer is the output.
struct ServerInvocation: Sendable {
    /// How much of what a program says of its failure is kept, in bytes.
    private static let longestReason = 1000

    let client: HTTPClient
    let now: @Sendable () -> Instant

    /// - Throws: `SandboxError` with `cancelled`, `invalid`, `startFailed`, and `instanceLost` where the instance ended, or broke
    ///   off, before it answered.
    func run(
        _ invocation: SandboxInvocation,
        in instance: SandboxInstance,
        output: @escaping @Sendable (SandboxOutput) async -> Void
    ) async throws -> SandboxOutcome {
        let startedAt = now()
        let ending = try await instance.withFiles(of: invocation) { places in
            let body = invocation.call(in: places)
            do {
                return try await Deadline.run(within: invocation.timeout) { _ in
                    try await post(body, to: instance, output: output)
                }
            } catch is JobFailure {
                return SandboxOutcome.Ending.timedOut
            }
        }
        return SandboxOutcome(ending: ending, startedAt: startedAt)
    }

    private func post(
        _ body: [UInt8],
        to instance: SandboxInstance,
        output: @Sendable (SandboxOutput) async -> Void
    ) async throws -> SandboxOutcome.Ending {
        guard var request = HTTPClientRequest(toServerOf: instance, path: "/") else {
            throw SandboxError(.invalid, "the instance \(instance.id) answers no requests")
        }
        request.method = .POST
        request.headers.add(name: "content-type", value: "application/json")
        if let trace = TraceContext.current { request.headers.add(name: "traceparent", value: trace.traceparent) }
        request.body = .bytes(ByteBuffer(bytes: body))
        do {
            let answer = try await client.execute(request, deadline: .distantFuture)
            guard (200..<300).contains(answer.status.code) else {
                var reason: [UInt8] = []
                for try await piece in answer.body where reason.count < Self.longestReason {
                    reason += piece.readableBytesView.prefix(Self.longestReason - reason.count)
                }
                return .refused("\(answer.status.code): \(String(decoding: reason, as: UTF8.self))")
            }
            for try await piece in answer.body {
                await output(SandboxOutput(stream: .standardOutput, bytes: Array(piece.readableBytesView)))
            }
            return .exited(0)
        } catch  where !Task.isCancelled {
            throw SandboxError(
                .instanceLost, "the program of \(instance.id) broke off: \(error)", cause: error)
        }
    }
}
