package import Logging
import Model
import Sandboxes
import ServiceLifecycle

/// Fetches and unpacks the images of services that were created or changed, so that their first invocation finds them there.
///
/// One after the other, in the background. Where it fails, the first invocation tries again and says why it fails then.
package final class ImageFetcher: Service {
    private let sandboxes: SandboxSet
    private let logger: Logger
    private let images: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation

    package init(sandboxes: SandboxSet, logger: Logger) {
        (self.sandboxes, self.logger) = (sandboxes, logger)
        // Whoever makes more services than that at once has images fetched when they are needed.
        (images, continuation) = AsyncStream.makeStream(of: String.self, bufferingPolicy: .bufferingOldest(1000))
    }

    /// Fetches an image soon; costs little where it is there.
    package func fetchSoon(_ image: String) { continuation.yield(image) }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            for await image in self.images { await self.fetch(image) }
        }
    }

    private func fetch(_ image: String) async {
        do {
            let sandbox = try await sandboxes.sandbox(for: .container)
            try await sandbox.prepare(image: image, progress: { _ in })
        } catch {
            guard !Task.isCancelled else { return }
            logger.warning(
                "an image could not be fetched ahead", metadata: ["image": "\(image)", "error": "\(error.message)"])
        }
    }
}
