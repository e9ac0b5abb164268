import ArgumentParser
import Testing

@testable import Commands

struct ParsingTests {
    /// Every command line of oscar-cli's table (oscar-clients.md 2.2) that is supported, and the commands of Apus.
    @Test(arguments: [
        ("apply f.yaml", "ApplyCommand"), ("a f.yaml --default", "ApplyCommand"),
        ("apply f.yaml -c lab -n other", "ApplyCommand"),
        ("apply f.yaml --config c.yaml", "ApplyCommand"),
        ("delete f.yaml", "DeleteCommand"), ("d f.yaml", "DeleteCommand"), ("del f.yaml", "DeleteCommand"),
        ("remove f.yaml", "DeleteCommand"),
        ("cluster add lab https://host", "Add"), ("c a lab https://host oscar pw", "Add"),
        ("cluster add lab https://host oscar --password-stdin", "Add"),
        ("cluster add lab https://host oscar pw --disable-ssl", "Add"),
        ("cluster add lab https://host -t TOKEN", "Add"),
        ("cluster add lab https://host --token TOKEN", "Add"),
        ("cluster list", "List"), ("c ls", "List"), ("cluster default", "Default"),
        ("cluster default -s lab", "Default"),
        ("c d -s lab", "Default"), ("cluster info", "Info"), ("cluster i -c lab", "Info"),
        ("cluster info --cluster lab", "Info"),
        ("cluster remove lab", "Remove"), ("cluster delete lab", "Remove"), ("cluster rm lab", "Remove"),
        ("service list", "List"), ("services ls", "List"), ("svc list -c lab", "List"), ("s ls -o json", "List"),
        ("service get n", "Get"), ("service g n -c lab", "Get"),
        ("service delete n", "Remove"), ("service remove a b c", "Remove"), ("svc d a", "Remove"),
        ("svc rm a", "Remove"),
        ("service run n -i text", "Run"), ("service invoke n -f file", "Run"), ("service r n -f file -o out", "Run"),
        ("service run n -e http://h -t T -i x", "Run"), ("service run n --text-input x --form plain", "Run"),
        ("service job n -f file", "Job"), ("service j n -i x -c lab", "Job"), ("service job n -i {} --event", "Job"),
        ("service logs list n", "List"), ("service log ls n -s Failed,Running", "List"), ("svc l ls n", "List"),
        ("service logs get n job", "Get"), ("service logs g n -l", "Get"), ("service logs get n job -t", "Get"),
        ("service logs get n job --show-timestamps --follow", "Get"), ("service logs get n --latest -f", "Get"),
        ("service logs delete n j1 j2", "Remove"), ("service logs rm n -s", "Remove"),
        ("service logs d n -a", "Remove"),
        ("service put-file n file", "Put"), ("service pf n minio.default file in/x", "Put"),
        ("service put-file n minio file in/x --no-progress", "Put"),
        ("service get-file n minio.default out/x here", "Get"), ("service gf n", "Get"),
        ("service get-file n --download-latest-into", "Get"),
        ("service list-files n minio.default in/", "List"), ("service lsf n minio.default in/", "List"),
        ("service delete-file n minio.default in/x", "Remove"), ("service df n minio.default in/x", "Remove"),
        ("bucket list", "List"), ("b ls -o json", "List"), ("buckets list -c lab", "List"),
        ("bucket get b", "Get"), ("bucket get b --prefix p --page t --limit 5", "Get"),
        ("b g b --all -o json", "Get"),
        ("bucket create b", "Create"), ("bucket create b --visibility restricted --allowed-users a b", "Create"),
        ("bucket delete b", "Remove"), ("bucket rm a b", "Remove"),
        ("job list", "List"), ("job list s --state failed --limit 0", "List"), ("jobs ls", "List"),
        ("job list --service s --dead --json --since 2h", "List"), ("job show a b --json", "JobShowCommand"),
        ("job logs j --attempt 2 -f -t", "JobLogsCommand"), ("job cancel a b", "JobCancelCommand"),
        ("job retry a b", "JobRetryCommand"), ("job retry --service s --since 2h", "JobRetryCommand"),
        ("job redrive", "JobRedriveCommand"), ("job redrive --dead --service s", "JobRedriveCommand"),
        ("job purge a b", "JobPurgeCommand"), ("job purge --dead --failed --since 7d -y", "JobPurgeCommand"),
        ("put file in/key", "PutCommand"), ("put -r dir other in/", "PutCommand"), ("put a b in -q", "PutCommand"),
        ("get in/key", "GetCommand"), ("get in/key here", "GetCommand"), ("get -r in here", "GetCommand"),
        ("ls", "ListCommand"), ("ls in/ -r -o yaml", "ListCommand"), ("rm in/a in/b", "RemoveCommand"),
        ("rm -r in", "RemoveCommand"),
        ("image add docker://x", "Add"), ("image add file.tar name", "Add"),
        ("image add /a.tar n --on-server", "Add"),
        ("image list", "List"), ("images ls", "List"), ("image remove a b", "Remove"), ("version", "VersionCommand"),
        ("v", "VersionCommand"),
    ])
    func accepts(line: String, type: String) throws {
        let command = try TestRoot.parseAsRoot(line.split(separator: " ").map(String.init))
        #expect(String(describing: Swift.type(of: command)) == type)
    }

    @Test(arguments: [
        "apply", "apply f --default -c x", "cluster add", "cluster add a", "cluster add a http://h user",
        "cluster add a http://h user pw --password-stdin", "cluster add a http://h --password-stdin",
        "cluster add a http://h user pw -t T", "service get", "service run n", "service run n -i a -f b",
        "service run n -i a -e http://h", "service run n -i a -t T", "service remove", "service logs get",
        "service logs get n j -l", "service logs delete n", "service logs delete n j -a",
        "service logs delete n -s -a",
        "service put-file n", "service put-file n minio.default", "service put-file n a b c", "bucket create",
        "put file", "get", "rm", "image add", "ls -o xml", "job list --limit -1",
        "job list a --service b", "job list --dead --state dead", "job show", "job logs", "job logs j --attempt 0",
        "job cancel", "job retry", "job retry a --service s", "job redrive a --dead", "job purge", "job purge a --dead",
        "job purge --service s", "service list --nonsense",
        "nonsense",
    ])
    func refuses(line: String) async throws {
        let outcome = try await TemporaryWorld.run(line.split(separator: " ").map(String.init))
        #expect(outcome.status == 64)
        #expect(!outcome.error.isEmpty)
    }

    @Test func helpTellsExitStatusAndCompletions() {
        let help = TestRoot.helpMessage()
        #expect(help.contains("Exit status"))
        #expect(help.contains("--generate-completion-script"))
        #expect(help.contains("APUS_ENDPOINT"))
    }

    @Test(arguments: ["bash", "zsh", "fish"])
    func completionsCanBeMade(shell: String) {
        #expect { try TestRoot.parseAsRoot(["--generate-completion-script", shell]) } throws: { error in
            TestRoot.exitCode(for: error) == .success && TestRoot.fullMessage(for: error).contains("cluster")
        }
    }
}
