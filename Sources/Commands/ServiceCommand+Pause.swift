import APIClient
import ArgumentParser

extension ServiceCommand {
    /// `apus service pause`.
    struct Pause: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Starts nothing of services any more, until they are resumed.",
            discussion: """
                What runs goes on to its end. Uploads and jobs are taken and wait, also over restarts of the cluster; apus service \
                run is refused. Needs a cluster that is Apus.
                """)

        @Argument(help: "The names of the services.") var services: [String]
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try await eachReported(services) { try await client.pauseService($0) }
            }
        }
    }

    /// `apus service resume`.
    struct Resume: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets paused services go on, the oldest jobs first.", aliases: ["unpause"])

        @Argument(help: "The names of the services.") var services: [String]
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try await eachReported(services) { try await client.resumeService($0) }
            }
        }
    }
}
