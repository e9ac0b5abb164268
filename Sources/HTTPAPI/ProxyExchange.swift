import Cluster
import HTTPTypes
import Logging
import Model
import NIOCore
import NIOHTTP1
import SystemPackage

/// One request on its way to a program, and the answer on its way back.
///
/// Finds a place in an instance, opens a connection to it or takes one that is open, and passes both bodies on piece by
/// piece. What was not answered yet is sent again where that harms nothing: to the next instance where one went away.
///
/// Not `Sendable`: all happens on the event loop of the client's connection, which is also the upstream's.
final class ProxyExchange: UpstreamTaker {
    /// What is kept of a request's body: until there is a connection for it, and to send it again.
    private static let mostHeld = 64 << 10
    /// Instances that are tried one after the other.
    private static let mostSeats = 3
    /// How long one instance may refuse connections.
    private static let patience = TimeAmount.seconds(5)
    private static let longestPause = TimeAmount.milliseconds(100)

    let target: ProxyTarget
    let head: HTTPRequestHead
    let surroundings: ProxySurroundings
    let upgrade: String?
    unowned let client: FunctionProxy
    let start = NIODeadline.now()
    private let outgoing: HTTPRequestHead
    private var seat: ServerSeat?
    private var seats = 0
    private var finding: Task<Void, Never>?
    private(set) var upstream: UpstreamConnection?
    private var isNewConnection = false
    private var firstTry = NIODeadline.now()
    private var pause = TimeAmount.milliseconds(1)
    /// The body so far, while it can be sent again.
    private var held: [ByteBuffer] = []
    private var heldBytes = 0
    private var isWholeHeld = true
    private var awaitsContinue: Bool
    private(set) var isRequestComplete = false
    private(set) var hasEnded = false
    /// What has become of the answer.
    var answer = ProxyAnswerState()

    /// - Throws: `ProxyHeaders.Malformed` for a request that cannot be passed on.
    init(
        _ head: HTTPRequestHead,
        to target: ProxyTarget,
        for client: FunctionProxy,
        address: String,
        _ surroundings: ProxySurroundings
    ) throws(ProxyHeaders.Malformed) {
        self.head = head
        self.target = target
        self.client = client
        self.surroundings = surroundings
        upgrade = ProxyHeaders.upgrade(askedBy: head)
        outgoing = HTTPRequestHead(
            version: .http1_1, method: head.method, uri: target.uri,
            headers: try ProxyHeaders.request(head, for: target, address: address, upgrade: upgrade))
        awaitsContinue = head.version == .http1_1 && head.headers.first(name: "expect")?.lowercased() == "100-continue"
    }

    // MARK: The request

    /// Whether the client may send more of the body.
    var wantsBody: Bool {
        guard let upstream, upstream.taker === self else { return heldBytes < Self.mostHeld }
        return upstream.takesMore
    }

    func receive(_ bytes: ByteBuffer) {
        guard !hasEnded else { return }
        awaitsContinue = false
        if isWholeHeld {
            held.append(bytes)
            heldBytes += bytes.readableBytes
        }
        guard let upstream else { return }
        upstream.send(bytes)
        if heldBytes > Self.mostHeld || answer.hasBegun { forgetBody() }
    }

    func receiveEnd() {
        isRequestComplete = true
        guard !hasEnded, let upstream else { return }
        upstream.end()
        upstream.flush()
    }

    /// All that has come so far from the client was received.
    func receivedAll() { upstream?.flush() }

    private func forgetBody() {
        isWholeHeld = false
        held = []
    }

    // MARK: A place

    func findSeat() {
        seats += 1
        (firstTry, pause) = (.now(), .milliseconds(1))
        if let seat = surroundings.servers.enterAtOnce(target.service) { return enter(seat) }
        let loop = surroundings.pool.eventLoop
        let bound = NIOLoopBound(self, eventLoop: loop)
        let (servers, service) = (surroundings.servers, target.service)
        // Cancelled where the client goes away; ends by itself otherwise.
        finding = Task {
            let result: Result<ServerSeat, any Error>
            do { result = .success(try await servers.enter(service)) } catch { result = .failure(error) }
            loop.execute { bound.value.found(result) }
        }
    }

    private func found(_ result: Result<ServerSeat, any Error>) {
        finding = nil
        switch result {
        case .success(let seat):
            guard !hasEnded else { return seat.leave(.unused) }
            enter(seat)
        case .failure(let error):
            guard !hasEnded else { return }
            let refusal = (error as? ClusterError).map { TextError($0) }
            refuse(ProxyAnswer(refusal ?? TextError(.serviceUnavailable, "no instance of the service: \(error)")))
        }
    }

    private func enter(_ seat: ServerSeat) {
        self.seat = seat
        connect()
    }

    // MARK: A connection

    private func connect() {
        guard !hasEnded, let seat else { return }
        if let idle = surroundings.pool.take(seat.socket.string) {
            isNewConnection = false
            return send(over: idle)
        }
        isNewConnection = true
        surroundings.pool.connect(seat.socket.string).assumeIsolated().whenComplete { result in
            self.connected(result)
        }
    }

    private func connected(_ result: Result<any Channel, any Error>) {
        switch result {
        case .success(let channel):
            guard let connection = try? channel.pipeline.syncOperations.handler(type: UpstreamConnection.self) else {
                return retryConnection()
            }
            if hasEnded { connection.close() } else { send(over: connection) }
        case .failure: retryConnection()
        }
    }

    /// The instance takes no connection yet, or no longer; the first of these passes.
    private func retryConnection() {
        guard !hasEnded else { return }
        guard .now() - firstTry < Self.patience else { return tryNextSeat() }
        let loop = surroundings.pool.eventLoop
        _ = loop.assumeIsolated().scheduleTask(in: pause) { self.connect() }
        pause = min(pause * 2, Self.longestPause)
    }

    private func tryNextSeat() {
        seat?.leave(.unreachable)
        seat = nil
        guard seats < Self.mostSeats else {
            return refuse(ProxyAnswer(.badGateway, "the program of the service does not answer"))
        }
        findSeat()
    }

    private func send(over connection: UpstreamConnection) {
        upstream = connection
        connection.begin(outgoing, for: self)
        for bytes in held { connection.send(bytes) }
        if heldBytes > Self.mostHeld { forgetBody() }
        if isRequestComplete { connection.end() }
        connection.flush()
        if awaitsContinue, !isRequestComplete {
            awaitsContinue = false
            client.invite()
        }
        client.wantsInputChanged()
    }

    func upstreamTakesMore() { client.wantsInputChanged() }

    // MARK: The answer

    var wantsAnswer: Bool { client.isWritable }

    func take(_ part: HTTPClientResponsePart) {
        guard !hasEnded else { return }
        do {
            switch part {
            case .head(let response): try takeHead(response)
            case .body(let bytes): client.put(body: bytes, answer.framing)
            case .end: try takeEnd()
            }
        } catch {
            fail("the program of the service sent an answer that is not valid HTTP")
        }
        if answer.hasBegun, isWholeHeld { forgetBody() }
    }

    func tookAll() { client.flushOutput() }

    func upstreamEnded(_ error: (any Error)?) {
        guard !hasEnded else { return }
        upstream = nil
        let isInvalid = error is HTTPParserError || error is NIOHTTPDecoderError
        guard !answer.hasBegun, !isInvalid, isReplayable else {
            let what = isInvalid ? "sent an answer that is not valid HTTP" : "went away before it answered"
            return fail("the program of the service \(what)")
        }
        if isNewConnection { tryNextSeat() } else { connect() }
    }

    /// Whether the request can be sent once more, though the program may have seen it.
    ///
    /// An invocation by `/run` can, as one of a script that was lost with its instance.
    private var isReplayable: Bool {
        guard isWholeHeld, upgrade == nil, seats < Self.mostSeats else { return false }
        switch head.method {
        case .GET, .HEAD, .PUT, .DELETE, .OPTIONS, .TRACE: return true
        default: return target.route == .run
        }
    }

    // MARK: Ends

    /// The answer is complete.
    func finish() {
        let connection = upstream
        end(.served)
        if let connection {
            if isRequestComplete, answer.isUpstreamReusable {
                surroundings.pool.put(connection)
            } else {
                connection.close()
            }
        }
        client.ended(self, keepsAlive: isRequestComplete && answer.keepsClient)
    }

    /// Answers in the program's place.
    private func refuse(_ own: ProxyAnswer) {
        let connection = upstream
        end(connection == nil ? .unused : .served)
        connection?.close()
        answer.status = Int(own.status.code)
        client.answer(own, to: self)
    }

    /// The program has failed; an answer that has begun must not look like a whole one.
    func fail(_ message: String) {
        guard answer.hasBegun else { return refuse(ProxyAnswer(.badGateway, message)) }
        surroundings.logger.debug("\(message)", metadata: ["service": "\(target.service)"])
        let connection = upstream
        end(.served)
        connection?.close()
        client.breakOff(self)
    }

    /// The client has gone, or cannot be understood.
    func cancel() {
        guard !hasEnded else { return }
        let connection = upstream
        end(connection == nil ? .unused : .served)
        connection?.close()
    }

    private func end(_ ending: ServerSeat.Ending) {
        hasEnded = true
        finding?.cancel()
        finding = nil
        upstream = nil
        held = []
        seat?.leave(ending)
        seat = nil
        surroundings.metrics.record(self)
    }

    /// The connection will carry another protocol: whoever relays it leaves the seat when it ends.
    func handOver() -> (ServerSeat?, UpstreamConnection?) {
        defer {
            (seat, upstream) = (nil, nil)
            end(.served)
        }
        return (seat, upstream)
    }
}
