import ArgumentParser

/// What this build is.
package enum ApusVersion {
    /// Semantic version (semver.org).
    package static let text = "0.1.0"
}

/// `apus version`.
struct VersionCommand: ReportingCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "Prints the version of this program.", aliases: ["v"])

    func perform() async throws { try Console.say("version: \(ApusVersion.text)") }
}
