import NIOPosix
import SystemPackage

/// Reads the process's standard input without blocking a thread of the cooperative pool.
enum StandardInput {
    /// One line without its end; `nil` at the end of the input.
    static func readLine() async -> String? {
        // A pool that is shut down ends the program; nobody is asked then.
        try? await NIOThreadPool.singleton.runIfActive { Swift.readLine() }
    }

    /// All bytes until the end.
    ///
    /// - Throws: `CommandError` with `invalidInput` when there are more than `limit`, or with `localFile`.
    static func read(limit: Int) async throws -> [UInt8] {
        try await NIOThreadPool.singleton.runIfActive {
            var all: [UInt8] = []
            let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 << 10, alignment: 16)
            defer { chunk.deallocate() }
            while true {
                let count: Int
                do {
                    count = try FileDescriptor.standardInput.read(into: chunk)
                } catch {
                    throw CommandError(.localFile, "cannot read the standard input: \(error)")
                }
                if count == 0 { return all }
                all.append(contentsOf: chunk[0..<count])
                guard all.count <= limit else {
                    throw CommandError(.invalidInput, "the standard input has more than \(limit) bytes")
                }
            }
        }
    }
}
