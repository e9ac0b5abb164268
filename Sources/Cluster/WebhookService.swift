package import AsyncHTTPClient
package import Logging
import Metrics
package import Model
import NIOCore
import NIOHTTP1
import S3Wire
import Scheduling
import ServiceLifecycle
package import StateStore
import Synchronization

/// Tells webhooks what they are to be told: each in order, at least once, and again and again until it has taken it.
///
/// What waits is in the database, so a webhook that is down costs no memory, and no other webhook waits for it.
package final class WebhookService: Service {
    private let notifications: Notifications
    private let lines: [(name: String, runner: OutboxRunner<WebhookOutbox>)]

    /// - Parameters:
    ///   - timeout: how long one delivery may take.
    package init(
        state: ClusterState,
        webhooks: [Webhook],
        notifications: Notifications,
        httpClient: HTTPClient,
        longestPause: Duration,
        timeout: Duration = .seconds(10),
        now: @escaping @Sendable () -> Instant,
        logger: Logger
    ) {
        self.notifications = notifications
        lines = webhooks.map { webhook in
            let box = WebhookOutbox(webhook, state: state, httpClient: httpClient, timeout: timeout, now: now)
            // One after another: who is told of events wants to know what came first.
            let runner = OutboxRunner(
                box, parallel: 1, backoff: Backoff(ceiling: longestPause), now: now, logger: logger)
            return (webhook.name, runner)
        }
    }

    package func run() async throws {
        guard !lines.isEmpty else {
            try await gracefulShutdown()
            return
        }
        await cancelWhenGracefulShutdown { [self] in
            await withDiscardingTaskGroup { group in
                for (name, runner) in lines {
                    group.addTask { await runner.run(endsWhenEmpty: false) }
                    guard let signal = notifications.signal(of: name) else { continue }
                    group.addTask { for await _ in signal.rings { runner.news() } }
                }
            }
        }
    }

    // MARK: For people

    /// What the line to a webhook does; `nil` where none of that name is declared.
    package func line(to webhook: String) -> OutboxState? { lines.first { $0.name == webhook }?.runner.current }

    /// Tells a webhook, or all, at once what they are still to be told.
    func retry(_ webhook: String?) {
        for (name, runner) in lines where webhook == nil || webhook == name { runner.retry() }
    }

    /// Nobody is to be told what was given up.
    func withdrawn() { for (_, runner) in lines { runner.withdrawn() } }
}
