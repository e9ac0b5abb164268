package import Model

/// A job as the store knows it.
package struct JobRecord: Sendable, Hashable {
    /// Place in the queue: unique, growing with the time of creation.
    package var number: Int64
    package var name: JobName
    package var service: ServiceName
    package var state: JobState
    /// The object that triggered the job, where an object did.
    package var input: ObjectLocation?
    /// Who caused the job.
    package var principal: String
    /// How often the job was started.
    package var attempts: Int
    /// The exit code of the script's last attempt; 128 + N where signal N ended it.
    package var exitCode: Int32?
    /// Why the job ended as it did, or what it waits for, in words.
    package var message: String?
    package var created: Instant
    /// When the last attempt's script was started.
    package var started: Instant?
    package var finished: Instant?
    package var stageIn: Duration?
    package var run: Duration?
    package var stageOut: Duration?
    /// A queued job with this waits for its next attempt.
    package var notBefore: Instant?
    /// How many attempts were made before somebody sent the job on its way again.
    package var round: Int
    /// The `traceparent` of what caused it, where that was in a trace; only in a job that is about to run.
    package var trace: String?
}

/// A bucket and a key.
package struct ObjectLocation: Sendable, Hashable {
    package var bucket: BucketName
    package var key: ObjectKey

    package init(bucket: BucketName, key: ObjectKey) {
        self.bucket = bucket
        self.key = key
    }
}

/// A job that is about to be committed.
package struct NewJob: Sendable {
    package var name: JobName
    package var service: ServiceName
    /// The event's sequence number, with which the job is unique per service; `nil` for jobs that a client posted.
    package var eventSequence: Int64?
    package var input: ObjectLocation?
    package var principal: String
    /// The event as it goes to the function; `nil` where it is kept in a file.
    package var event: [UInt8]?
    package var created: Instant
    /// The `traceparent` of what causes it.
    package var trace = TraceContext.current?.traceparent

    package init(
        name: JobName,
        service: ServiceName,
        eventSequence: Int64?,
        input: ObjectLocation?,
        principal: String,
        event: [UInt8]?,
        created: Instant
    ) {
        self.name = name
        self.service = service
        self.eventSequence = eventSequence
        self.input = input
        self.principal = principal
        self.event = event
        self.created = created
    }
}

/// How an attempt ended, as far as the job's record goes.
package struct AttemptResult: Sendable, Hashable {
    /// When the script was started.
    package var started: Instant?
    package var exitCode: Int32?
    /// The signal that ended the script, where one did.
    package var signal: Int32?
    /// Whether the kernel ended the script for want of memory; `nil` where nobody knows.
    package var isOutOfMemory: Bool?
    package var message: String?
    package var stageIn: Duration?
    package var run: Duration?
    package var stageOut: Duration?
    /// User and system time of the script and all that it started; `nil` where nobody knows.
    package var cpuTime: Duration?
    /// The highest use of memory; `nil` as above.
    package var peakMemory: ByteCount?
    /// The machine on which the attempt is made, and in what the script runs.
    package var node = ""
    package var sandbox: SandboxKind?

    package init(
        started: Instant? = nil,
        exitCode: Int32? = nil,
        message: String? = nil,
        stageIn: Duration? = nil,
        run: Duration? = nil,
        stageOut: Duration? = nil
    ) {
        self.started = started
        self.exitCode = exitCode
        self.message = message
        self.stageIn = stageIn
        self.run = run
        self.stageOut = stageOut
    }
}
