import AsyncHTTPClient
import Model
import NIOCore
import NIOHTTP1
import Sandboxes
import Synchronization
import SystemPackage

/// Asks a program that answers requests whether it is ready.
struct ServerProbe: Sendable {
    /// A program that takes longer to say so has failed to start.
    private static let longest = Duration.seconds(600)
    private static let pause = Duration.milliseconds(20)

    let client: HTTPClient

    /// Returns when the health path answers with anything but an error of the server's own (500 and more).
    ///
    /// - Throws: `SandboxError` with `startFailed` where the program has ended, or the time is over; `CancellationError`.
    func waitUntilReady(_ instance: SandboxInstance, path: String) async throws {
        guard let request = HTTPClientRequest(toServerOf: instance, path: path) else { return }
        let flag = Flag()
        // Ends with the instance.
        Task {
            _ = await instance.waitForEnd()
            flag.raise()
        }
        let deadline = ContinuousClock.now + Self.longest
        while true {
            // What is not there yet answers nothing.
            let answer = try? await client.execute(request, timeout: .seconds(10))
            if let answer, answer.status.code < 500 { return }
            if flag.isRaised {
                throw SandboxError(.startFailed, "the program of \(instance.id) ended before it answered \(path)")
            }
            guard ContinuousClock.now < deadline else {
                throw SandboxError(.startFailed, "the program of \(instance.id) did not answer \(path) in time")
            }
            try await Task.sleep(for: Self.pause)
        }
    }
}

/// Says once that something has happened.
private final class Flag: Sendable {
    private let value = Atomic(false)

    var isRaised: Bool { value.load(ordering: .relaxed) }

    func raise() { value.store(true, ordering: .relaxed) }
}

extension HTTPClientRequest {
    /// A request to the program of an instance, on a connection of its own; `nil` where it answers none.
    init?(toServerOf instance: SandboxInstance, path: String) {
        guard let socket = instance.serverSocket else { return nil }
        // Where URLs have their host.
        let host = QueryEncoding.escape(socket.string).replacing("+", with: "%20")
        self.init(url: "http+unix://\(host)\(path)")
        headers = ["host": "localhost", "connection": "close"]
    }
}
