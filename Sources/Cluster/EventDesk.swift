package import StateStore

/// Says what became of the last events.
package struct EventDesk: Sendable {
    private let state: ClusterState
    private let memory: EventMemory

    package init(state: ClusterState, memory: EventMemory) { (self.state, self.memory) = (state, memory) }

    /// The last events and what they came to.
    ///
    /// - Throws: `ClusterError` with `failed`.
    package func events(_ filter: EventFilter) async throws -> [EventRecord] {
        try await JobBoard.translating {
            let waiting = memory.take()
            if !waiting.isEmpty { try await state.remember(waiting, keeping: memory.kept) }
            return try await state.events(filter)
        }
    }
}
