package import NIOCore
package import SystemPackage

/// What a resident program made of one call.
package struct ResidentAnswer: Sendable {
    /// The ways a call can end, beside the loss of the instance.
    package enum Outcome: Sendable, Hashable {
        /// It went well; the text is the answer unless there are files.
        case result(ByteBuffer)
        /// It did not, with these words for people.
        case refused(String)
        /// It took too long; the instance is being ended.
        case timedOut
    }

    package let outcome: Outcome
    /// A directory with the files that the program left, which is the receiver's to read and to remove; `nil` for none.
    ///
    /// The program may still have files in it open.
    package let files: FilePath?

    init(_ outcome: Outcome, files: FilePath? = nil) {
        (self.outcome, self.files) = (outcome, files)
    }
}
