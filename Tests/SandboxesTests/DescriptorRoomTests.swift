import Testing

@testable import Sandboxes

@Suite("Room for descriptors")
struct DescriptorRoomTests {
    @Test("there is room for a few, again and again, so none is kept")
    func few() async throws {
        for _ in 0..<1000 { #expect(DescriptorRoom.isThere()) }
        try await DescriptorRoom.wait()
    }

    @Test("who waits for room that does not come is told what to do")
    func none() async {
        // More than the program may ever open, which is seen without opening any: other tests run beside this one.
        let error = await #expect(throws: SandboxError.self) {
            try await DescriptorRoom.wait(for: .max, atMost: .zero)
        }
        #expect(error?.code == .startFailed && error?.message.contains("ulimit") == true)
    }
}
