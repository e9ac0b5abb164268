import NIOCore
import SystemPackage

extension Error {
    /// Why a connection failed, in the system's words where it is the system that says so.
    package var transferReason: String {
        switch self {
        case let error as IOError: Errno(rawValue: error.errnoCode).description
        default: "\(self)"
        }
    }
}
