import Subprocess
import SystemPackage

/// A program of the machine that is run to its end, with its lines.
struct HostCommand: Sendable {
    var program: FilePath
    var arguments: [String]

    /// The last lines of a failed command, for messages.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    /// Runs it; cancellation ends it and what it started.
    ///
    /// - Parameter line: called with each line of both outputs.
    /// - Returns: the lines, at most the last 200.
    /// - Throws: `Failure` where it does not exit with 0; errors of the start.
    @discardableResult
    func run(line: @Sendable (String) -> Void = { _ in }) async throws -> [String] {
        var options = PlatformOptions()
        options.processGroupID = 0
        options.teardownSequence = [
            .gracefulShutDown(toProcessGroup: true, allowedDurationToNextStep: .seconds(3))
        ]
        let result = try await Subprocess.run(
            .path(program), arguments: Arguments(arguments), platformOptions: options, input: .none,
            output: .sequence, error: .combinedWithOutput
        ) { execution in
            var lines: [String] = []
            for try await text in execution.standardOutput.strings() {
                line(text)
                lines.append(text)
                if lines.count > 200 { lines.removeFirst(100) }
            }
            return lines
        }
        try Task.checkCancellation()
        let status = result.terminationStatus
        let last = result.takeClosureResult()
        guard status.isSuccess else {
            throw Failure(description: last.suffix(3).joined(separator: " "))
        }
        return last
    }
}
