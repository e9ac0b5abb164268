import Model
import Synchronization

/// Shows how far the transfers of a command are: one line that is written anew on a terminal, nothing elsewhere.
final class TransferDisplay: Sendable {
    private struct State {
        var name = ""
        var filesBegun = 0
        var filesDone = 0
        var expected: Int64 = 0
        var moved: Int64 = 0
        var lastDrawn: Instant?
        var isDrawn = false
    }

    private let state = Mutex(State())
    private let surroundings: Surroundings
    private let isShown: Bool
    private let start: Instant

    /// - Parameter isQuiet: whether to show nothing even on a terminal.
    init(isQuiet: Bool = false, _ surroundings: Surroundings = .current) {
        self.surroundings = surroundings
        isShown = surroundings.errorIsTerminal && !isQuiet
        start = surroundings.now()
    }

    /// A file begins; its bytes are added to what is expected.
    func begin(name: String, bytes: Int64) {
        draw { state in
            state.name = name
            state.filesBegun += 1
            state.expected += bytes
        }
    }

    /// Bytes have moved.
    func moved(_ bytes: Int64) { draw { $0.moved += bytes } }

    /// A file has ended, well or not.
    func end() { draw { $0.filesDone += 1 } }

    /// Removes the line, so that something else can be printed.
    func finish() {
        let wasDrawn = state.withLock { state in
            defer { state.isDrawn = false }
            return state.isDrawn
        }
        if wasDrawn { write("\r\u{1B}[K") }
    }

    /// Changes the state, and draws at most ten times a second.
    private func draw(_ change: (inout State) -> Void) {
        guard isShown else { return state.withLock { change(&$0) } }
        let now = surroundings.now()
        let line: String? = state.withLock { state in
            change(&state)
            if let last = state.lastDrawn, now - last < .milliseconds(100) { return nil }
            state.lastDrawn = now
            state.isDrawn = true
            return Self.line(state, elapsed: now - start, columns: surroundings.columns)
        }
        if let line { write("\r\(line)\u{1B}[K") }
    }

    private func write(_ text: String) {
        // Without a reader there is nobody to show it to.
        try? surroundings.write(.error, Array(text.utf8))
    }

    private static func line(_ state: State, elapsed: Duration, columns: Int) -> String {
        let seconds = Double(elapsed.components.seconds) + Double(elapsed.components.attoseconds) / 1e18
        let rate = seconds > 0.2 ? "\(ByteCount(Int64(Double(state.moved) / seconds)))/s" : ""
        let share = state.expected > 0 ? min(100, state.moved * 100 / state.expected) : 100
        let width = 20
        let filled = Int(share) * width / 100
        let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: width - filled)
        let files = state.filesBegun > 1 ? "\(state.filesDone)/\(state.filesBegun) files  " : ""
        let numbers =
            "[\(bar)] \(padded(Int(share), 2))%  \(ByteCount(state.moved)) of \(ByteCount(state.expected))  \(rate)"
        let text = Text.printable("\(numbers)  \(files)\(state.name)")
        return String(text.prefix(max(20, columns - 1)))
    }
}
