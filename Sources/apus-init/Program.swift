import Glibc
import InitWire

/// The one program of an instance that lives as long as the instance.
struct Program {
    /// How often to see whether a program answers on its port, in milliseconds.
    private static let pause: Int32 = 5

    let process: pid_t
    /// To the port that it serves.
    private var relay: Relay?
    private var isReady: Bool

    /// Starts it, with the descriptors that came with the order.
    ///
    /// - Returns: the program, or why there is none.
    static func start(_ order: InitFrame.Boot, _ descriptors: [Int32]) -> (Program?, String) {
        let hasLines = order.kind == .lines
        guard descriptors.count == (hasLines ? 2 : 1) else { return (nil, "the order to start is incomplete") }
        let port = !hasLines && order.port == 0 ? Loopback.freePort() : order.port
        var environment = order.environment
        if !hasLines {
            environment.removeAll { $0.utf8.starts(with: "PORT=".utf8) }
            environment.append("PORT=\(port)")
        }
        let process = Spawn.start(
            order.arguments, environment: environment, directory: order.directory,
            input: hasLines ? descriptors[0] : -1, output: hasLines ? descriptors[1] : -1, error: -1
        )
        guard process > 0 else {
            return (nil, "\(order.arguments.first ?? "") cannot be executed: \(String(cString: strerror(-process)))")
        }
        guard hasLines else {
            return (Program(process: process, relay: Relay(listener: descriptors[0], port: port), isReady: false), "")
        }
        for descriptor in descriptors { close(descriptor) }
        return (Program(process: process, relay: nil, isReady: true), "")
    }

    /// When to look again, in milliseconds from now; -1 for not by itself.
    var patience: Int32 { isReady ? -1 : Self.pause }

    /// Adds the descriptors that are waited for.
    func addToPoll(_ polled: inout [pollfd]) {
        if isReady { relay?.addToPoll(&polled) }
    }

    /// Does what can be done.
    ///
    /// - Parameter polled: what `addToPoll` added.
    /// - Returns: what Apus is to be told.
    mutating func act(on polled: ArraySlice<pollfd>) -> InitFrame? {
        guard !isReady, let port = relay?.port else {
            if !polled.isEmpty { relay?.act(on: polled) }
            return nil
        }
        let socket = Loopback.connect(to: port)
        guard socket >= 0 else { return nil }
        close(socket)
        isReady = true
        return .booted(port: port)
    }
}
