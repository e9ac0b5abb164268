import APIClient
import Model
import S3Client

/// Why a command did not do what it was told.
package struct CommandError: Error, Sendable, CustomStringConvertible {
    package enum Code: Sendable, Hashable, CaseIterable {
        case general
        case notFound
        /// Not authenticated, or not allowed.
        case refused
        /// No answer, or not ready.
        case unreachable
        /// What the user gave is wrong: a file, a definition, a name, a configuration.
        case invalidInput
        /// A function or job failed.
        case functionFailed
        /// A local file could not be read or written.
        case localFile
        /// Several things were to be done, and some of them failed; each was reported.
        case partial
        /// Nobody reads the output any more.
        case outputClosed
    }

    package let code: Code
    /// For people, with what to do about it; empty where all has been said.
    package let message: String

    package init(_ code: Code, _ message: String) { (self.code, self.message) = (code, message) }

    package var description: String { message }
}

extension CommandError.Code {
    /// The process's exit status.
    ///
    /// 2 stays free, because shells use it for themselves; 64 is the argument parser's for a wrong command line.
    package var exitStatus: Int32 {
        switch self {
        case .general: 1
        case .notFound: 3
        case .refused: 4
        case .unreachable: 5
        case .invalidInput: 6
        case .functionFailed: 7
        case .localFile: 8
        case .partial: 9
        case .outputClosed: 141
        }
    }
}

extension CommandError {
    /// Any error as one of ours.
    init(_ error: any Error) {
        switch error {
        case let error as CommandError: self = error
        case let error as APIClientError: self.init(Self.code(error.code), error.message)
        case let error as S3ClientError: self.init(Self.code(error.code), error.message)
        case let error as NameError: self.init(.invalidInput, error.message)
        case let error as JSONError: self.init(.invalidInput, "not valid JSON: \(error)")
        case is CancellationError: self.init(.general, "cancelled")
        default: self.init(.general, "\(error)")
        }
    }

    private static func code(_ code: APIClientError.Code) -> Code {
        switch code {
        case .invalidRequest, .invalid, .conflict: .invalidInput
        case .unreachable, .unavailable: .unreachable
        case .unauthorised, .forbidden: .refused
        case .notFound: .notFound
        case .functionFailed: .functionFailed
        case .server, .malformedAnswer, .cancelled: .general
        }
    }

    private static func code(_ code: S3ClientError.Code) -> Code {
        switch code {
        case .invalid: .invalidInput
        case .unreachable: .unreachable
        case .refused(401, _), .refused(403, _): .refused
        case .refused(400..<500, _): .invalidInput
        case .refused, .malformedAnswer, .paused, .cancelled: .general
        case .notFound: .notFound
        case .localFile: .localFile
        }
    }
}
