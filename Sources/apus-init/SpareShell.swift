import Glibc
import InitWire

/// A shell that was started before there is anything for it to do, so that the next execution need not wait for its start.
///
/// It is started between two executions, when none of the processes of the last one is left, and sees what every execution of
/// the instance sees. What an execution has of its own comes by a pipe: the shell exports it, and reads the script.
struct SpareShell {
    let process: pid_t
    /// Where its standard output and standard error arrive.
    let streams: (output: Int32, error: Int32)
    private let orders: Int32
    private let arguments: [String]
    private let environment: [String]
    private let directory: String

    private static let shell = "/bin/sh"
    /// What the shell finds the pipe by; scripts do not, as it is closed first.
    private static let ordersNumber: Int32 = 9
    /// A pipe takes at least as much at once (pipe(7)).
    private static let longestOrder = 32 << 10

    /// A shell for executions as that one; `nil` where none can be had.
    static func start(for order: InitFrame.Execution) -> SpareShell? {
        guard order.arguments.count == 2, order.arguments[0] == shell, order.standardInput.isEmpty,
            let orders = Descriptors.pipe(nonBlocking: false)
        else { return nil }
        defer { Glibc.close(orders.read) }
        // The script's path is `$0`, as where the shell is given the script.
        let arguments = [shell, "-c", ". /proc/self/fd/\(ordersNumber)", order.arguments[1]]
        let started = Execution.spawn(
            arguments, environment: order.environment, directory: order.directory, input: -1,
            extra: (orders.read, ordersNumber))
        guard case .success(let started) = started else {
            Glibc.close(orders.write)
            return nil
        }
        return SpareShell(
            process: started.process, streams: started.streams, orders: orders.write, arguments: order.arguments,
            environment: order.environment, directory: order.directory)
    }

    /// Has it execute that; false where it is not for that.
    func take(_ order: InitFrame.Execution) -> Bool {
        guard order.standardInput.isEmpty, order.arguments == arguments, order.environment == environment,
            order.directory == directory, let text = Self.text(order.own)
        else { return false }
        // Nobody listens where it has ended meanwhile; the signal of that is ignored.
        defer { Glibc.close(orders) }
        return text.withUnsafeBytes { write(orders, $0.baseAddress, $0.count) } == text.count
    }

    /// Ends it, before anything else is started.
    func dismiss() {
        close()
        kill(process, SIGKILL)
        while waitpid(process, nil, 0) < 0, errno == EINTR {}
    }

    /// Of one that has ended.
    func close() {
        for descriptor in [orders, streams.output, streams.error] { Glibc.close(descriptor) }
    }

    /// What the shell does with those variables; `nil` for names that no shell has, and for too much.
    static func text(_ variables: [String]) -> [UInt8]? {
        var text = Array("exec \(ordersNumber)<&-\n".utf8)
        for variable in variables {
            let bytes = variable.utf8
            guard let equals = bytes.firstIndex(of: UInt8(ascii: "=")), isName(bytes[..<equals]) else { return nil }
            text += Array("export ".utf8)
            text += bytes[...equals]
            text.append(UInt8(ascii: "'"))
            for byte in bytes[bytes.index(after: equals)...] {
                if byte == UInt8(ascii: "'") { text += Array("'\\'".utf8) }
                text.append(byte)
            }
            text += Array("'\n".utf8)
        }
        text += Array(". \"$0\"\n".utf8)
        return text.count <= longestOrder ? text : nil
    }

    /// POSIX.1-2017, XBD 3.235 "Name".
    private static func isName(_ bytes: Substring.UTF8View) -> Bool {
        guard let first = bytes.first, !(0x30...0x39).contains(first) else { return false }
        return bytes.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte) || byte == 0x5F
        }
    }
}
