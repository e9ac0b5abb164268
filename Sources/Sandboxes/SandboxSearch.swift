/// The sandbox of a kind, looked for until it is found: what stands in the way may pass, as a full disk does.
///
/// The first search begins at once. One that failed is repeated when somebody needs the sandbox, but not more often than
/// the pause says.
package actor SandboxSearch {
    private let pause: Duration
    private let find: @Sendable () async -> Result<any Sandbox, SandboxError>
    private var search: Task<Result<any Sandbox, SandboxError>, Never>
    private var failed: ContinuousClock.Instant?

    /// - Parameter find: looks for the sandbox and clears it of what an earlier run left. Never called twice at once.
    package init(
        pause: Duration = .seconds(5),
        find: @escaping @Sendable () async -> Result<any Sandbox, SandboxError>
    ) {
        self.pause = pause
        self.find = find
        // Awaited by everyone who needs the sandbox, and by the shutdown.
        search = Task { await find() }
    }

    /// The sandbox; waits for a search that is under way.
    ///
    /// - Throws: why none was found.
    package func sandbox() async throws(SandboxError) -> any Sandbox {
        if let failed, failed.duration(to: .now) >= pause {
            self.failed = nil
            search = Task { [find] in await find() }
        }
        let current = search
        let result = await current.value
        if case .failure = result, failed == nil, current == search { failed = .now }
        return try result.get()
    }

    /// The sandbox if it is known; waits for a search that is under way, and begins none.
    package var known: (any Sandbox)? {
        get async { try? await search.value.get() }  // None, then none.
    }
}
