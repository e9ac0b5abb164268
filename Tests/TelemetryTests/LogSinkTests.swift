import Glibc
import Testing

@testable import Telemetry

@Suite struct LogSinkTests {
    /// A pipe that is closed at the end.
    private struct Pipe {
        let reading: Int32
        let writing: Int32

        init() throws {
            var ends: [Int32] = [0, 0]
            try #require(pipe(&ends) == 0)
            (reading, writing) = (ends[0], ends[1])
        }

        func readAll() -> [UInt8] {
            var all: [UInt8] = []
            var chunk = [UInt8](repeating: 0, count: 65_536)
            while case let count = read(reading, &chunk, chunk.count), count > 0 { all += chunk[..<count] }
            return all
        }
    }

    @Test func writesLinesWholeFromManyTasks() async throws {
        let pipe = try Pipe()
        let sink = LogSink(descriptor: pipe.writing)
        #expect(!sink.wantsColors)
        // More than PIPE_BUF each, less than the pipe's 64 KiB together, so that nobody has to read
        // meanwhile.
        let lines = (0..<6).map { index in
            [UInt8](repeating: UInt8(ascii: "a") + UInt8(index), count: 8000) + [10]
        }
        await withTaskGroup { group in
            for line in lines { group.addTask { sink.write(line) } }
        }
        close(pipe.writing)
        let written = pipe.readAll().split(separator: 10).map { Array($0) + [10] }
        close(pipe.reading)
        #expect(Set(written) == Set(lines))
    }

    @Test func dropsWhatNobodyCanTake() throws {
        LogSink(descriptor: -1).write(Array("x\n".utf8))
        let pipe = try Pipe()
        defer {
            close(pipe.writing)
            close(pipe.reading)
        }
        #expect(fcntl(pipe.writing, F_SETFL, O_NONBLOCK) == 0)
        // A full pipe that does not block: the rest is dropped, and the call returns.
        LogSink(descriptor: pipe.writing).write([UInt8](repeating: 0, count: 1 << 20))
    }

    @Test func dropsEmptyLines() { LogSink(descriptor: -1).write([]) }
}
