/// What `eventually` gives up with.
package struct NeverHappened: Error, CustomStringConvertible {
    package let description: String
}

/// Asks again and again until there is an answer, for what the tested parts have no stream to wait on.
///
/// - Parameters:
///   - what: what was waited for, for the message.
///   - within: the bound; a test that passes never comes near it.
///   - state: said in the message when the time is over.
/// - Returns: the first answer that is not `nil`.
/// - Throws: `NeverHappened`, and what the question throws.
package func eventually<T>(
    _ what: String,
    within limit: Duration = .seconds(30),
    state: () async throws -> String = { "" },
    _ question: () async throws -> T?
) async throws -> T {
    let end = ContinuousClock.now + limit
    while true {
        if let answer = try await question() { return answer }
        guard ContinuousClock.now < end else {
            throw NeverHappened(description: "within \(limit) never happened: \(what). \(try await state())")
        }
        // Lets the tested parts have the processor; a bare yield would keep it busy with questions.
        try await Task.sleep(for: .milliseconds(1))
    }
}

/// As above, for a question of yes or no.
package func eventually(
    _ what: String,
    within limit: Duration = .seconds(30),
    _ question: () async throws -> Bool
) async throws {
    let _: Bool = try await eventually(what, within: limit) { try await question() ? true : nil }
}
