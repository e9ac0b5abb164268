import Glibc
import InitWire

/// The one program of an instance that lives as long as the instance.
struct Program {
    let process: pid_t

    /// Starts it, with the descriptors that came with the order.
    ///
    /// - Returns: the program, or why there is none.
    static func start(_ order: InitFrame.Boot, _ descriptors: [Int32]) -> (Program?, String) {
        guard order.kind == .lines, descriptors.count == 2 else { return (nil, "the order to start is incomplete") }
        let process = Spawn.start(
            order.arguments, environment: order.environment, directory: order.directory, input: descriptors[0],
            output: descriptors[1], error: -1
        )
        for descriptor in descriptors { close(descriptor) }
        guard process > 0 else {
            return (nil, "\(order.arguments.first ?? "") cannot be executed: \(String(cString: strerror(-process)))")
        }
        return (Program(process: process), "")
    }

    /// When to look again, in milliseconds from now; -1 for not by itself.
    var patience: Int32 { -1 }

    /// Adds the descriptors that are waited for.
    mutating func addToPoll(_ polled: inout [pollfd]) {}

    /// Does what can be done.
    ///
    /// - Returns: what Apus is to be told.
    mutating func act(on polled: ArraySlice<pollfd>) -> InitFrame? { nil }
}
