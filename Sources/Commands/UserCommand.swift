import APIClient
import ArgumentParser
import Model

/// `apus user …`.
struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user",
        abstract: "Shows and manages who has logged in (on clusters of Apus).",
        subcommands: [List.self, Show.self, Disable.self, Enable.self, Remove.self, Keys.self], aliases: ["users"])
}

extension UserCommand {
    /// `apus user list`.
    struct List: ReportingCommand {
        static let configuration = CommandConfiguration(abstract: "Lists who has logged in.", aliases: ["ls"])

        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            let columns = ["USER", "NAME", "GROUPS", "ACCESS KEY", "STATE", "LAST SEEN"].map { Column($0) }
            var writer = ListWriter(columns, format: output.format, emptyText: "Nobody has logged in yet.")
            try await Session.withCluster(options) { client in
                try writer.append(try await client.users().map(Self.row))
                try writer.finish()
            }
        }

        private static func row(_ user: UserSummary) -> Row {
            let state = user.isDisabled ? "disabled" : user.hasKeys ? "" : "no keys"
            return Row(
                cells: [
                    user.user, user.name, user.groups.joined(separator: ","), user.accessKey, state, user.lastSeen,
                ], json: user.json)
        }
    }

    /// `apus user show`.
    struct Show: ReportingCommand {
        static let configuration = CommandConfiguration(abstract: "Shows a user.")

        @Argument(help: "The user, as the list names them.") var user: String
        @OptionGroup var options: ClusterOptions
        @OptionGroup var output: OutputOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try output.format.show(try await client.user(user).json)
            }
        }
    }

    /// `apus user disable`.
    struct Disable: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Lets a user in no more; tokens and S3 keys stop working at once.")

        @Argument(help: "The user, as the list names them.") var user: String
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try await client.setUser(user, isDisabled: true)
                try Console.say("User \"\(user)\" is disabled.")
            }
        }
    }

    /// `apus user enable`.
    struct Enable: ReportingCommand {
        static let configuration = CommandConfiguration(abstract: "Lets a disabled user in again.")

        @Argument(help: "The user, as the list names them.") var user: String
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try await client.setUser(user, isDisabled: false)
                try Console.say("User \"\(user)\" may come in again.")
            }
        }
    }

    /// `apus user remove`.
    struct Remove: ReportingCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forgets a user and takes the S3 keys away.",
            discussion: """
                Services and buckets of the user stay. Whoever logs in with a good token is made a user anew; "apus user \
                disable" keeps somebody out.
                """, aliases: ["rm", "delete"])

        @Argument(help: "The user, as the list names them.") var user: String
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try await client.removeUser(user)
                try Console.say("User \"\(user)\" is forgotten.")
            }
        }
    }

    /// `apus user keys …`.
    struct Keys: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Changes a user's S3 keys.", subcommands: [Rotate.self, RemoveKeys.self])
    }

    /// `apus user keys rotate`.
    struct Rotate: ReportingCommand {
        static let configuration = CommandConfiguration(
            commandName: "rotate", abstract: "Gives a user a new secret key; the old one stops working at once.",
            discussion: "Users may do so with their own.")

        @Argument(help: "The user, as the list names them.") var user: String
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                let keys = try await client.rotateKeys(of: user)
                try Console.say("access key  \(keys.accessKey)\nsecret key  \(keys.secretKey)")
            }
        }
    }

    /// `apus user keys remove`.
    struct RemoveKeys: ReportingCommand {
        static let configuration = CommandConfiguration(
            commandName: "remove", abstract: "Takes a user's keys away, until \"apus user keys rotate\" makes new ones."
        )

        @Argument(help: "The user, as the list names them.") var user: String
        @OptionGroup var options: ClusterOptions

        func perform() async throws {
            try await Session.withCluster(options) { client in
                try await client.removeKeys(of: user)
                try Console.say("User \"\(user)\" has no keys any more.")
            }
        }
    }
}
