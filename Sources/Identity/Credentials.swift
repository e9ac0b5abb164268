/// The administrator's name and password and the keys of the object store.
package struct Credentials: Sendable, Hashable {
    /// The name of the administrator where none is given, as in OSCAR.
    package static let defaultUsername = "oscar"

    package let username: String
    package let password: String
    package let s3AccessKey: String
    package let s3SecretKey: String

    /// - Throws: `IdentityError` with `invalidValue`, naming the value, for a user name with a colon (RFC
    ///   7617), for control characters, and for what is empty, too short or too long.
    package init(
        username: String,
        password: String,
        s3AccessKey: String,
        s3SecretKey: String
    ) throws(IdentityError) {
        try Self.check(username, "user name", 1...128, butNot: ":")
        try Self.check(password, "password", 1...1024, butNot: "")
        // The access key stands in the credential scope of SigV4, whose parts slashes divide, inside a list
        // that commas divide.
        try Self.check(s3AccessKey, "S3 access key", 3...128, butNot: "/,= ")
        try Self.check(s3SecretKey, "S3 secret key", 8...256, butNot: "")
        self.username = username
        self.password = password
        self.s3AccessKey = s3AccessKey
        self.s3SecretKey = s3SecretKey
    }

    private static func check(
        _ value: String,
        _ name: String,
        _ length: ClosedRange<Int>,
        butNot forbidden: String
    ) throws(IdentityError) {
        guard length.contains(value.utf8.count) else {
            throw IdentityError(
                .invalidValue,
                "the \(name) must have \(length.lowerBound) to \(length.upperBound) bytes; "
                    + "it has \(value.utf8.count)"
            )
        }
        guard value.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F }) else {
            throw IdentityError(
                .invalidValue,
                "the \(name) must not have control characters, such as a line end"
            )
        }
        guard !value.unicodeScalars.contains(where: forbidden.unicodeScalars.contains) else {
            let list = forbidden.map { $0 == " " ? "spaces" : "'\($0)'" }.joined(separator: ", ")
            throw IdentityError(.invalidValue, "the \(name) must not have \(list)")
        }
    }
}

/// Credentials from the environment; what is `nil` was not given.
package struct GivenCredentials: Sendable, Hashable {
    package var username: String?
    package var password: String?
    package var s3AccessKey: String?
    package var s3SecretKey: String?

    package init(
        username: String? = nil,
        password: String? = nil,
        s3AccessKey: String? = nil,
        s3SecretKey: String? = nil
    ) {
        self.username = username
        self.password = password
        self.s3AccessKey = s3AccessKey
        self.s3SecretKey = s3SecretKey
    }
}
