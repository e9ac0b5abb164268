import InitWire
package import NIOCore
package import SystemPackage

/// What became of a small execution of a script.
package enum ScriptAnswer: Sendable {
    case ended(ScriptEnd)
    /// It writes more than is collected, and goes on.
    case flowing(ScriptFlow)
}

/// How a small execution of a script ended, and what it left.
package struct ScriptEnd: Sendable {
    package let ending: SandboxOutcome.Ending
    /// What it wrote, where nobody took it piece by piece.
    package let output: ByteBuffer
    package let error: ByteBuffer
    /// A directory with the files that it left, which is the receiver's to read and to remove; `nil` for none.
    package let files: FilePath?
}

/// A small execution whose output is taken piece by piece.
package struct ScriptFlow: Sendable {
    let feed: ExecutionFeed
    let link: InstanceLink
    /// What came before.
    let output: ByteBuffer
    let error: ByteBuffer
    let end: @Sendable (InitFrame.End) async throws -> (SandboxOutcome.Ending, FilePath?)

    /// Hands over all output, also what came before; to be called once.
    ///
    /// - Throws: `SandboxError` with `instanceLost` where the instance ended before the script did.
    package func finish(_ take: @Sendable (SandboxOutput) async -> Void) async throws -> ScriptEnd {
        for (stream, bytes) in [(SandboxOutput.Stream.standardOutput, output), (.standardError, error)]
        where bytes.readableBytes > 0 {
            await take(SandboxOutput(stream: stream, bytes: Array(bytes.readableBytesView)))
        }
        guard case .ended(let end) = await link.end(of: feed, take) else {
            throw SandboxError(.instanceLost, "the instance ended before the script did")
        }
        let (ending, files) = try await self.end(end)
        return ScriptEnd(ending: ending, output: ByteBuffer(), error: ByteBuffer(), files: files)
    }
}
