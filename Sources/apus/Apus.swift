import ArgumentParser
import Commands

/// The program: one binary that serves a cluster and speaks to clusters.
@main
struct Apus: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apus",
        abstract: "Serverless data processing from the edge to the cloud.",
        discussion: ApusCommands.discussion,
        version: ApusVersion.text,
        subcommands: [ServeCommand.self, StoreCommand.self] + ApusCommands.all
    )
}
