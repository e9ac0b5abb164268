/// What is remembered of a transfer between its tries, and by whom the other side can tell that it has it.
package struct UploadRecord: Sendable {
    /// Names the transfer, and no other anywhere.
    package var token: String
    /// Whether an earlier try may have arrived without anybody knowing.
    package var mayHaveArrived: Bool
    /// The upload in parts that an earlier try has begun.
    package var upload: String?
    /// The parts that were confirmed in that upload, by number: their ETags.
    package var parts: [Int: String]
    /// Keeps the identifier of the upload that is under way, durably; `nil` for none any more, and with `isGivenUp` to
    /// be aborted later.
    package var setUpload: @Sendable (_ upload: String?, _ isGivenUp: Bool) async throws -> Void
    /// Keeps a part that was confirmed, durably.
    package var addPart: @Sendable (_ number: Int, _ eTag: String) async throws -> Void

    package init(
        token: String,
        mayHaveArrived: Bool = false,
        upload: String? = nil,
        parts: [Int: String] = [:],
        setUpload: @escaping @Sendable (String?, Bool) async throws -> Void = { _, _ in },
        addPart: @escaping @Sendable (Int, String) async throws -> Void = { _, _ in }
    ) {
        (self.token, self.mayHaveArrived, self.upload, self.parts) = (token, mayHaveArrived, upload, parts)
        (self.setUpload, self.addPart) = (setUpload, addPart)
    }

    /// The user metadata by which any store can say later whose object it holds.
    static let metadataName = "x-amz-meta-apus-delivery"
    /// The header by which another Apus takes the same transfer once, however often it comes.
    static let headerName = "x-apus-delivery"

    var headers: [(name: String, value: String)] { [(Self.headerName, token), (Self.metadataName, token)] }
}
