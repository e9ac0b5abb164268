import InitWire
import Model
import NIOCore
import NIOPosix
import SystemPackage

/// Small executions of an instance's script: without a folder of their own and a task for each; on the instance's event loop.
final class ScriptCalls {
    /// One is cleared away while the next one is used.
    private static let placeCount = 2

    private let specification: InstanceSpecification
    private let exchange: InstanceExchange
    private let link: InstanceLink
    private let memory: InstanceMemory
    let loop: any EventLoop
    /// All but what one execution has of its own.
    private let environment: [String]
    private let command: [String]
    private let directory: String
    private var ready: [ScriptFiles] = []
    /// How many are being made ready.
    private var comingCount = 0
    /// Those that wait for a place which is being made ready.
    private var waiting: [Request] = []
    private var madeCount = 0
    private var takenCount = 0

    init(_ specification: InstanceSpecification, _ view: InstanceView, _ link: InstanceLink, _ memory: InstanceMemory) {
        (self.specification, self.link, self.memory) = (specification, link, memory)
        exchange = view.callExchange
        loop = link.eventLoop
        environment = view.common(specification).lines
        command = view.command
        directory = view.workingDirectory
        for _ in 0..<Self.placeCount { prepare(insteadOf: nil) }
    }

    /// Whether something can be executed at once.
    var isReady: Bool { !ready.isEmpty }

    /// What is to be executed.
    struct Request {
        let body: ByteBuffer
        /// Of the execution.
        let id: UInt32
        /// Of the invocation, which the script finds in `JOB_UUID`.
        let name: String
        let timeout: Duration?
        let promise: EventLoopPromise<ScriptAnswer>
    }

    /// Executes the script with that input, as soon as a place is ready: the last one may just be cleared away.
    func call(_ request: Request) {
        if let files = ready.popLast() {
            begin(request, in: files)
        } else if comingCount > 0 {
            waiting.append(request)
        } else {
            request.promise.fail(Self.noPlace(specification.id))
        }
    }

    /// Leaves off what has not begun; whether there was such a thing.
    func withdraw(_ id: UInt32) -> Bool {
        guard let index = waiting.firstIndex(where: { $0.id == id }) else { return false }
        waiting.remove(at: index).promise.fail(
            SandboxError(.cancelled, "an execution in \(specification.id) was cancelled", cause: CancellationError()))
        return true
    }

    private static func noPlace(_ id: String) -> SandboxError {
        SandboxError(.invalid, "no place is ready for an execution in \(id)")
    }

    private func begin(_ request: Request, in files: ScriptFiles) {
        let (id, name, timeout, promise) = (request.id, request.name, request.timeout, request.promise)
        do { try files.write(request.body) } catch {
            prepare(insteadOf: files)
            return promise.fail(
                SandboxError(.startFailed, "the input of \(name) could not be written: \(error)", cause: error))
        }
        let (input, output) = (files.inside(files.input, of: exchange), files.inside(files.output, of: exchange))
        let order = InitFrame.Execution(
            id: id, arguments: command,
            environment: environment,
            own: [
                "JOB_UUID=\(name)", "TMP_INPUT_DIR=\(input)", "TMP_OUTPUT_DIR=\(output)",
                "INPUT_FILE_PATH=\(input)/\(files.name)",
            ],
            directory: directory, timeout: timeout.map { max(1, $0.wholeMilliseconds) } ?? 0,
            gracePeriod: specification.gracePeriod.wholeMilliseconds
        )
        let call = ScriptCall(
            files, kills: specification.memory > .zero ? memory.kills : nil, calls: self, link: link, promise)
        let bound = NIOLoopBound(call, eventLoop: loop)
        let feed = ExecutionFeed(id: id) { bound.value.take($0) }
        call.feed = feed
        link.begin(
            feed, order, limit: timeout.map { $0 + specification.gracePeriod + SandboxInstance.lateness })
    }

    /// How an execution ended, and the files that it left; its place is made ready again.
    func end(_ files: ScriptFiles, _ end: InitFrame.End, kills: Int64?) -> (SandboxOutcome.Ending, FilePath?) {
        defer { prepare(insteadOf: files) }
        let ending = memory.ending(end, killsBefore: kills)
        guard files.hasResults else { return (ending, nil) }
        takenCount += 1
        let place = specification.directory.appending("taken-\(takenCount)")
        return (ending, files.moveResults(to: place) ? place : nil)
    }

    /// Makes a place ready, a moment later, on a thread that may wait for the disk.
    func prepare(insteadOf used: ScriptFiles?) {
        let exchange = exchange
        madeCount += 1
        comingCount += 1
        let number = madeCount
        let bound = NIOLoopBound(self, eventLoop: loop)
        NIOThreadPool.singleton.submit { [loop] _ in
            var files = used?.renewed()
            if files == nil {
                used?.remove()
                // Where none can be made executions go the longer way, whose errors say why.
                files = try? ScriptFiles(number: number, in: exchange)
            }
            loop.execute { [files] in bound.value.came(files) }
        }
    }

    private func came(_ files: ScriptFiles?) {
        comingCount -= 1
        if let files {
            if waiting.isEmpty { ready.append(files) } else { begin(waiting.removeFirst(), in: files) }
        } else if comingCount == 0 {
            for request in waiting { request.promise.fail(Self.noPlace(specification.id)) }
            waiting = []
        }
    }
}

/// One small execution that is under way.
private final class ScriptCall {
    /// More output than this is not collected here.
    private static let most = 256 << 10

    private let files: ScriptFiles
    private let kills: Int64?
    private let calls: ScriptCalls
    private let link: InstanceLink
    private let promise: EventLoopPromise<ScriptAnswer>
    private var output = ByteBuffer()
    private var error = ByteBuffer()
    var feed: ExecutionFeed?

    init(
        _ files: ScriptFiles,
        kills: Int64?,
        calls: ScriptCalls,
        link: InstanceLink,
        _ promise: EventLoopPromise<ScriptAnswer>
    ) {
        (self.files, self.kills, self.calls) = (files, kills, calls)
        (self.link, self.promise) = (link, promise)
    }

    func take(_ events: [ExecutionFeed.Event]) {
        for (index, event) in events.enumerated() {
            switch event {
            case .output(let piece):
                if piece.stream == .standardOutput {
                    output.writeBytes(piece.bytes)
                } else {
                    error.writeBytes(piece.bytes)
                }
                if output.readableBytes + error.readableBytes > Self.most {
                    return flow(events.dropFirst(index + 1))
                }
            case .ended(let end):
                let (ending, files) = calls.end(files, end, kills: kills)
                promise.succeed(.ended(ScriptEnd(ending: ending, output: output, error: error, files: files)))
            case .refused(let message):
                calls.prepare(insteadOf: files)
                promise.fail(SandboxError(.startFailed, "the script could not be started: \(message)"))
            case .lost: promise.fail(SandboxError(.instanceLost, "the instance ended before the script did"))
            }
        }
    }

    /// The rest goes to somebody who takes it piece by piece.
    private func flow(_ rest: ArraySlice<ExecutionFeed.Event>) {
        guard let feed else { return }
        feed.stopTaking(Array(rest))
        let (files, kills) = (files, kills)
        let (loop, calls) = (calls.loop, NIOLoopBound(calls, eventLoop: calls.loop))
        let flow = ScriptFlow(feed: feed, link: link, output: output, error: error) { end in
            try await loop.submit { calls.value.end(files, end, kills: kills) }.get()
        }
        promise.succeed(.flowing(flow))
    }
}
