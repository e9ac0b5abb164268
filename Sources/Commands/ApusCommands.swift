package import ArgumentParser

/// The commands that speak to clusters, for the program's root command.
package enum ApusCommands {
    /// Each command or group of commands.
    package static var all: [any ParsableCommand.Type] {
        [
            ApplyCommand.self, DeleteCommand.self, ClusterCommand.self, ServiceCommand.self, JobCommand.self,
            ScheduleCommand.self, EventsCommand.self,
            BucketCommand.self, PutCommand.self, GetCommand.self, ListCommand.self, RemoveCommand.self,
            ImageCommand.self, DeliveryCommand.self, UserCommand.self, AuditCommand.self, QuotaCommand.self,
            VolumeCommand.self,
            VersionCommand.self,
        ]
    }

    /// What the help of the root command says below the list of commands.
    package static let discussion = """
        The cluster is the one that --cluster names; else APUS_ENDPOINT (with APUS_USERNAME and APUS_PASSWORD, or \
        APUS_TOKEN; APUS_TLS_VERIFY=false for a certificate of one's own); else the default of the configuration; else \
        the server that this user runs on this machine.

        The configuration is $XDG_CONFIG_HOME/apus/config.yaml, or ~/.config/apus/config.yaml; where there is none, \
        oscar-cli's ~/.oscar-cli/config.yaml is read.

        Exit status: 0 done; 1 another error; 3 not found; 4 refused: credentials or rights; 5 not reached or not \
        ready; 6 wrong input: a file, a definition, a name; 7 a function failed; 8 a local file; 9 some of several failed; \
        64 wrong command line.

        Completions for bash, zsh and fish: apus --generate-completion-script bash > \
        ~/.local/share/bash-completion/completions/apus
        """
}
