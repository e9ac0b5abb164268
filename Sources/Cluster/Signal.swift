/// A bell that one task waits for: rings that nobody heard yet count as one.
package struct Signal: Sendable {
    private let stream: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    package init() {
        (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    }

    package func send() { continuation.yield() }

    /// The rings; one task may iterate.
    var rings: AsyncStream<Void> { stream }
}
