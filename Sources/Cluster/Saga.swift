/// Steps that are undone, the last first, when a later one fails.
struct Saga {
    private var undos: [(name: String, undo: @Sendable () async throws -> Void)] = []

    /// Remembers how to undo a step that was just done.
    mutating func did(_ name: String, undo: @escaping @Sendable () async throws -> Void) {
        undos.append((name, undo))
    }

    /// Undoes everything; answers what could not be undone.
    func undoAll() async -> [String] {
        var failures: [String] = []
        for step in undos.reversed() {
            do { try await step.undo() } catch { failures.append("\(step.name): \(error)") }
        }
        return failures
    }
}
