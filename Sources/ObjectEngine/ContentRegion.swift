/// A range of a file that holds content, open, for the kernel to send.
package struct ContentRegion: Sendable {
    /// The largest region, in bytes.
    static let maximumSize: Int64 = 4 << 20

    /// Place in the file, in bytes.
    package let range: Range<Int64>
    private let file: OpenFile

    init(file: OpenFile, range: Range<Int64>) {
        self.file = file
        self.range = range
    }

    /// Runs `body` with the file's descriptor, which is open until it returns.
    package func withDescriptor<T>(_ body: (CInt) async throws -> T) async rethrows -> T {
        let result = try await body(file.descriptor)
        withExtendedLifetime(file) {}
        return result
    }
}
