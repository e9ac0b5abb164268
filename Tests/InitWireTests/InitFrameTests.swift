import InitWire
import TestKit
import Testing

@Suite
struct InitFrameTests {
    static let frames: [InitFrame] = [
        .execute(
            InitFrame.Execution(
                id: 7, arguments: ["/bin/sh", "script.sh", ""], environment: ["A=1", "B=ä€😀\n"], own: ["A=2", ""],
                directory: "/home", standardInput: "/in", timeout: .max, gracePeriod: 5
            )),
        .execute(InitFrame.Execution(id: .max, arguments: [], environment: [], directory: "")),
        .cancel(id: 0), .cancel(id: .max),
        .boot(InitFrame.Boot(kind: .lines, arguments: ["/a"], environment: ["X="], directory: "/")),
        .boot(InitFrame.Boot(kind: .port, arguments: ["/a"], environment: [], directory: "/", port: 65535)),
        .ready(version: 1), .output(id: 3, stream: .output, bytes: []),
        .output(id: 4, stream: .error, bytes: (0..<70_000).map { UInt8(truncatingIfNeeded: $0) }),
        .ended(id: 9, InitFrame.End(code: -1, isSignal: false)),
        .ended(
            id: 9, InitFrame.End(code: 9, isSignal: true, isTimedOut: true, cpuTime: .max, peakMemory: 1 << 40)),
        .refused(id: 1, message: "no such file"), .booted(port: 0), .booted(port: 8080),
        .programEnded(InitFrame.End(code: 15, isSignal: true)),
    ]

    private func decode(_ bytes: [UInt8], pieces: Int, limit: Int = 1 << 20) throws -> [InitFrame] {
        var decoder = InitFrameDecoder(limit: limit)
        var frames: [InitFrame] = []
        var rest = bytes[...]
        while !rest.isEmpty {
            rest.prefix(pieces).withUnsafeBytes { decoder.feed($0) }
            rest = rest.dropFirst(pieces)
            while let frame = try decoder.next() { frames.append(frame) }
        }
        return frames
    }

    @Test(arguments: [1, 2, 3, 7, 100, 65_536, .max])
    func comeOutAsTheyWentIn(pieces: Int) throws {
        let bytes = Self.frames.flatMap(\.bytes)
        #expect(try decode(bytes, pieces: pieces) == Self.frames)
    }

    @Test(arguments: frames.indices)
    func aPartIsAwaited(_ index: Int) throws {
        let bytes = Self.frames[index].bytes
        for count in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 200)) {
            #expect(try decode(Array(bytes.prefix(count)), pieces: .max) == [])
        }
    }

    @Test
    func alwaysTheSameLength() {
        // What the other side reads is fixed by these bytes.
        #expect(InitFrame.cancel(id: 0x0102_0304).bytes == [5, 0, 0, 0, 2, 4, 3, 2, 1])
        #expect(InitFrame.output(id: 1, stream: .error, bytes: [65]).bytes == [7, 0, 0, 0, 17, 1, 0, 0, 0, 2, 65])
    }

    @Test(
        arguments: [
            ([255, 255, 255, 255], .tooLong(.max)), ([1, 0, 16, 0], .tooLong(1 << 20 + 1)), ([0, 0, 0, 0], .malformed),
            ([1, 0, 0, 0, 0], .unknownKind(0)), ([1, 0, 0, 0, 99], .unknownKind(99)),
            ([1, 0, 0, 0, 2], .malformed),  // without its field
            ([6, 0, 0, 0, 2, 1, 0, 0, 0, 0], .malformed),  // with one field too many
            ([6, 0, 0, 0, 17, 1, 0, 0, 0, 3], .malformed),  // a third stream
            ([5, 0, 0, 0, 20, 0, 0, 1, 0], .malformed),  // a port beyond 65535
            // A text and a list that say to be longer than their frame.
            ([9, 0, 0, 0, 19, 1, 0, 0, 0, 255, 255, 255, 255], .malformed),
            ([14, 0, 0, 0, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 127], .malformed),
        ] as [([UInt8], InitFrameDecoder.Malformation)]
    )
    func malformed(_ bytes: [UInt8], _ malformation: InitFrameDecoder.Malformation) {
        #expect(throws: malformation) { try decode(bytes, pieces: .max) }
    }

    @Test(arguments: 0..<20)
    func anyBytesEndWell(seed: Int) {
        var generator = SeededGenerator(seed: UInt64(seed))
        let whole = Self.frames.flatMap(\.bytes)
        for _ in 0..<50 {
            var bytes = whole
            for _ in 0..<Int.random(in: 1...20, using: &generator) {
                bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
            }
            // Either frames or an error; what matters is that nothing else happens.
            _ = try? decode(bytes, pieces: Int.random(in: 1...10_000, using: &generator))
        }
    }

    @Test
    func whatIsReadIsGivenBack() throws {
        var decoder = InitFrameDecoder(limit: 1 << 20)
        let bytes = InitFrame.output(id: 1, stream: .output, bytes: [UInt8](repeating: 1, count: 60_000)).bytes
        for _ in 0..<1000 {
            bytes.withUnsafeBytes { decoder.feed($0) }
            #expect(try decoder.next() != nil)
            #expect(decoder.waitingBytes == 0)
        }
    }
}
