import Model
package import SystemPackage

/// The file that holds a cluster's credentials and addresses, readable by its owner only: `credentials.json`
/// in the data directory.
///
/// It always holds what is in force, whether made by Apus or given by the environment, so that commands on
/// the same machine find their way without settings. What was given once is therefore kept when a later start
/// does not give it.
package struct CredentialFile: Sendable {
    /// What the file holds.
    package struct Content: Sendable, Hashable {
        package var credentials: Credentials
        /// The address of the API, for example `http://127.0.0.1:8080`.
        package var endpoint: String
        /// The address of the object store, for example `http://127.0.0.1:9000`.
        package var s3Endpoint: String
        /// The file of the certificate that both have; `nil` for plain HTTP.
        package var certificate: String?

        package init(credentials: Credentials, endpoint: String, s3Endpoint: String, certificate: String? = nil) {
            self.credentials = credentials
            self.endpoint = endpoint
            self.s3Endpoint = s3Endpoint
            self.certificate = certificate
        }
    }

    /// What `prepare` found or made.
    package struct Outcome: Sendable {
        package let content: Content
        /// Whether any password or key was made now.
        package let isNew: Bool
        /// What the person who starts Apus should know.
        package let warnings: [String]

        package var credentials: Credentials { content.credentials }
    }

    package let path: FilePath

    package init(dataDirectory: FilePath) { path = dataDirectory.appending("credentials.json") }
    package init(path: FilePath) { self.path = path }

    /// Reads the file, makes what neither it nor the environment gives, and writes the file where its content
    /// changes.
    ///
    /// Blocks the thread for a few small system calls and a sync: for the start of the program.
    ///
    /// - Parameters:
    ///   - given: What the environment says; wins over the file.
    ///   - endpoint: The address of the API.
    ///   - s3Endpoint: The address of the object store.
    ///   - certificate: The file of the certificate that both have.
    /// - Returns: What is in force.
    /// - Throws: `IdentityError` with `unreadable`, `malformedFile`, `unwritable` or `invalidValue`; each
    ///   message names the file or value.
    package func prepare(
        given: GivenCredentials = GivenCredentials(),
        endpoint: String,
        s3Endpoint: String,
        certificate: String? = nil
    ) throws(IdentityError) -> Outcome {
        var warnings: [String] = []
        let stored = try load(warnings: &warnings)
        let known = stored?.credentials
        let made = Credentials.Made(given: given, known: known)
        let content = Content(
            credentials: try made.credentials(), endpoint: endpoint, s3Endpoint: s3Endpoint, certificate: certificate)
        if content != stored { try write(content) }
        return Outcome(content: content, isNew: made.isNew, warnings: warnings)
    }

    /// What the file holds; `nil` where there is no file.
    ///
    /// For commands on the same machine.
    ///
    /// - Throws: `IdentityError` with `unreadable` or `malformedFile`.
    package func read() throws(IdentityError) -> Content? {
        guard let file = try PrivateFile.read(path) else { return nil }
        return try parse(file.bytes)
    }

    /// Replaces the file atomically and durably.
    ///
    /// - Throws: `IdentityError` with `unwritable`.
    package func write(_ content: Content) throws(IdentityError) {
        var object: JSONObject = [
            "endpoint": .string(content.endpoint),
            "s3_endpoint": .string(content.s3Endpoint),
            "username": .string(content.credentials.username),
            "password": .string(content.credentials.password),
            "s3_access_key": .string(content.credentials.s3AccessKey),
            "s3_secret_key": .string(content.credentials.s3SecretKey),
        ]
        object["certificate"] = content.certificate.map { .string($0) }
        try PrivateFile.write(Array((JSONValue.object(object).prettyText() + "\n").utf8), to: path)
    }

    /// As `read`, but takes away the rights of others, with a warning.
    private func load(warnings: inout [String]) throws(IdentityError) -> Content? {
        guard let file = try PrivateFile.read(path) else { return nil }
        if file.isOpenToOthers {
            try PrivateFile.restrict(path)
            warnings.append(
                "others could read \(path), which holds the passwords; the file is private again "
                    + "(mode 0600), but change the passwords if anyone else uses this machine"
            )
        }
        return try parse(file.bytes)
    }

    private func parse(_ bytes: [UInt8]) throws(IdentityError) -> Content {
        let repair = "repair the file, or remove it so that Apus makes new credentials"
        let document: JSONValue
        do {
            document = try JSONValue.parse(bytes: bytes)
        } catch {
            throw IdentityError(
                .malformedFile,
                "\(path) is not valid JSON (\(error)): \(repair)",
                cause: error
            )
        }
        func text(_ key: String) throws(IdentityError) -> String {
            guard let text = document[key]?.stringValue else {
                throw IdentityError(.malformedFile, "\(path) has no text under \"\(key)\": \(repair)")
            }
            return text
        }
        let fields = (
            try text("endpoint"), try text("s3_endpoint"), try text("username"), try text("password"),
            try text("s3_access_key"), try text("s3_secret_key")
        )
        do {
            let credentials = try Credentials(
                username: fields.2,
                password: fields.3,
                s3AccessKey: fields.4,
                s3SecretKey: fields.5
            )
            return Content(
                credentials: credentials, endpoint: fields.0, s3Endpoint: fields.1,
                certificate: document["certificate"]?.stringValue)
        } catch {
            throw IdentityError(.malformedFile, "\(path): \(error.message): \(repair)", cause: error)
        }
    }
}

extension Credentials {
    /// Credentials put together from what is given, what is known, and what must be made.
    fileprivate struct Made {
        let username: String
        let password: String
        let accessKey: String
        let secretKey: String
        let isNew: Bool

        init(given: GivenCredentials, known: Credentials?) {
            let passwordKnown = given.password ?? known?.password
            let secretKnown = given.s3SecretKey ?? known?.s3SecretKey
            let accessKnown = given.s3AccessKey ?? known?.s3AccessKey
            username = given.username ?? known?.username ?? Credentials.defaultUsername
            password = passwordKnown ?? Secret.makePassword()
            accessKey = accessKnown ?? Secret.makeAccessKey()
            secretKey = secretKnown ?? Secret.makeSecretKey()
            isNew = passwordKnown == nil || accessKnown == nil || secretKnown == nil
        }

        func credentials() throws(IdentityError) -> Credentials {
            try Credentials(
                username: username,
                password: password,
                s3AccessKey: accessKey,
                s3SecretKey: secretKey
            )
        }
    }
}
