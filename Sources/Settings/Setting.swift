/// One setting of `apus serve`: its names, and what the help says.
package struct Setting: Sendable, Hashable {
    /// The flag without its dashes, and the key in the configuration file.
    package let name: String
    package let valueName: String
    /// What it does, with unit and range.
    package let help: String
    /// What holds where nobody says anything, in words where it depends on the machine.
    package let standard: String
    /// Secrets come from the environment or the file, never from the command line, which everyone on the machine can read.
    package let isSecret: Bool

    init(_ name: String, _ valueName: String, _ help: String, standard: String, isSecret: Bool = false) {
        self.name = name
        self.valueName = valueName
        self.help = help
        self.standard = standard
        self.isSecret = isSecret
    }

    /// `APUS_` and the name in capitals.
    package var environmentName: String { "APUS_" + name.uppercased().replacing("-", with: "_") }

    package static let listen = Setting(
        "listen", "host:port", "Address of the API. Port 0 takes a free one.", standard: "127.0.0.1:8080"
    )
    package static let s3Listen = Setting(
        "s3-listen", "host:port", "Address of the object store. Port 0 takes a free one.", standard: "127.0.0.1:9000"
    )
    package static let s3Endpoint = Setting(
        "s3-endpoint", "url", "Where clients reach the object store, as /system/config tells them.",
        standard: "http:// and the address of --s3-listen"
    )
    package static let s3Domains = Setting(
        "s3-domains", "domain,…",
        "Domains below which each bucket of the object store has a host name of its own, as bucket.s3.localhost; none for "
            + "buckets in paths only.",
        standard: "localhost,s3.localhost"
    )
    package static let data = Setting(
        "data", "dir", "Directory that holds all state of the cluster.",
        standard: "/var/lib/apus for root, else $XDG_DATA_HOME/apus"
    )
    package static let sandbox = Setting(
        "sandbox", "process|container",
        "What services run in that name no sandbox. With process, every service runs as a plain process, also one that names "
            + "an image.",
        standard: "container"
    )
    package static let network = Setting(
        "network", "none|outbound",
        "Network of containers: none, or connections to the outside where the host offers them.",
        standard: "outbound"
    )
    package static let cpu = Setting(
        "cpu", "cores", "Processor capacity for jobs, in cores; 0.1 and more.", standard: "all of the machine"
    )
    package static let memory = Setting(
        "memory", "size", "Memory capacity for jobs: bytes, or a number with Ki, Mi, Gi.",
        standard: "all of the machine but a tenth"
    )
    package static let shares = Setting(
        "shares", "owner=weight,…",
        "How owners share the cluster while there is not enough for all; owners that are not named have the weight 1.",
        standard: "none: all alike"
    )
    package static let defaultQuota = Setting(
        "default-quota", "name=amount,…",
        "How much each user may have of whom nothing else was said: cpu, memory, gpu, ephemeral_storage, buckets, "
            + "storage_per_bucket, storage_total, volumes, volume_disk, max_disk_per_volume, min_disk_per_volume.",
        standard: "none: no limits"
    )
    package static let queueLimit = Setting(
        "queue-limit", "jobs", "How many jobs may wait before /job answers 429; uploads make jobs nevertheless.",
        standard: "none"
    )
    package static let diskReserve = Setting(
        "disk-reserve", "size",
        "Below so much free space on the disk of the data directory nothing new starts or is stored; it goes on by itself.",
        standard: "a twentieth of the disk, between 16Mi and 1Gi"
    )
    package static let memoryReserve = Setting(
        "memory-reserve", "size",
        "Below so much available memory of the machine nothing new starts; it goes on by itself.",
        standard: "a thirty-second of the memory, between 16Mi and 256Mi"
    )
    package static let grace = Setting(
        "grace", "duration", "How long running jobs may go on after SIGTERM: seconds, or with ms, s, m, h.",
        standard: "30s"
    )
    package static let durability = Setting(
        "durability", "always|batch|never",
        "Whether what was answered with success survives a power cut: always; batch: all but the last 100 ms, whole and in "
            + "order; never: faster, survives a crash of Apus only.",
        standard: "always"
    )
    package static let maxEvent = Setting(
        "max-event", "size", "Largest body of /job, and of /run in its base 64 form.", standard: "32Mi"
    )
    package static let jobLogLimit = Setting(
        "job-log-limit", "size", "How much of one job's output is kept.", standard: "64Mi"
    )
    package static let keepJobs = Setting(
        "keep-jobs", "duration", "How long ended jobs and their logs are kept: with s, m, h, or d for days.",
        standard: "30d"
    )
    package static let keepJobCount = Setting(
        "keep-job-count", "number", "How many ended jobs of each service are kept at most; 0 for no limit.",
        standard: "0"
    )
    package static let keepEvents = Setting(
        "keep-events", "number", "How many of the last events are remembered, for apus events; 0 for none.",
        standard: "100000"
    )
    package static let keepLogs = Setting(
        "keep-logs", "size", "How much all logs together may take; beyond it the oldest go.", standard: "4Gi"
    )
    package static let deliveryPause = Setting(
        "delivery-pause", "duration", "The longest pause between two tries to deliver a result to another storage.",
        standard: "30s"
    )
    package static let deliveryQuota = Setting(
        "delivery-quota", "size", "How much may wait for other storages; beyond it, what delivery-overflow says.",
        standard: "what the disk holds"
    )
    package static let deliveryOverflow = Setting(
        "delivery-overflow", "wait|drop-oldest",
        "When more waits than the quota: jobs that deliver to other storages wait, or the oldest results are given up.",
        standard: "wait"
    )
    /// Not one text but many, so not among `all`: see `WebhookSetting`.
    package static let webhook = Setting(
        "webhook", "name=url",
        "A webhook that buckets' notifications can name, as arn:minio:sqs::NAME:webhook; may be given often. Also "
            + "APUS_WEBHOOK_<NAME>=url; APUS_WEBHOOK_<NAME>_TOKEN is sent as its bearer token.",
        standard: "none"
    )
    package static let otlpEndpoint = Setting(
        "otlp-endpoint", "url",
        "Collector that gets traces of jobs by OTLP over HTTP, as http://127.0.0.1:4318; /v1/traces is added.",
        standard: "none"
    )
    package static let logLevel = Setting(
        "log-level", "level", "trace, debug, info, notice, warning, error or critical.", standard: "info"
    )
    package static let logFormat = Setting(
        "log-format", "text|json", "Form of the log on standard error.", standard: "text")
    package static let username = Setting(
        "username", "name", "The administrator's name.", standard: "oscar", isSecret: true
    )
    package static let password = Setting(
        "password", "text", "The administrator's password.", standard: "made at first start", isSecret: true
    )
    package static let s3AccessKey = Setting(
        "s3-access-key", "text", "Access key of the object store.", standard: "made at first start", isSecret: true
    )
    package static let s3SecretKey = Setting(
        "s3-secret-key", "text", "Secret key of the object store.", standard: "made at first start", isSecret: true
    )

    /// All of them, in the order of the help.
    package static let all: [Setting] =
        [
            listen, s3Listen, s3Endpoint, s3Domains, data, sandbox, network, cpu, memory, shares, defaultQuota,
            queueLimit, diskReserve, memoryReserve, grace, durability, maxEvent, jobLogLimit,
            keepJobs, keepJobCount, keepLogs, keepEvents, deliveryPause, deliveryQuota, deliveryOverflow, otlpEndpoint,
            logLevel, logFormat, username, password, s3AccessKey, s3SecretKey,
        ] + identity
}

/// A setting that cannot be used.
package struct SettingError: Error, Hashable, CustomStringConvertible {
    /// Names the setting, where it came from, and what to write.
    package let message: String

    package init(message: String) { self.message = message }

    package var description: String { message }
}
