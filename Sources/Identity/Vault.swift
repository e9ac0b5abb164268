package import Crypto
import Model
package import SystemPackage

/// Keeps secrets so that nobody reads them without the cluster's key: AES-GCM with 256 bits (NIST SP 800-38D).
///
/// The key is in a file of its own, readable by its owner only, so that a copy of the database tells nothing.
package struct Vault: Sendable {
    private static let prefix = "v1:"
    private static let nonceLength = 12
    private static let tagLength = 16
    /// The name of the key's file in the data directory.
    package static let fileName = "secret.key"

    private let key: SymmetricKey

    package init(key: SymmetricKey) { self.key = key }

    /// Opens the vault of a data directory, and makes its key where there is none.
    ///
    /// Blocks the thread for a few small system calls and a sync: for the start of the program.
    ///
    /// - Throws: `IdentityError` with `unreadable`, `malformedFile`, `unwritable`.
    package static func open(dataDirectory: FilePath) throws(IdentityError) -> Vault {
        let path = dataDirectory.appending(fileName)
        guard let file = try PrivateFile.read(path) else {
            let key = SymmetricKey(size: .bits256)
            let text = Base64.encode(key.withUnsafeBytes { Array($0) }) + "\n"
            try PrivateFile.write(Array(text.utf8), to: path)
            return Vault(key: key)
        }
        if file.isOpenToOthers { try PrivateFile.restrict(path) }
        let text = file.bytes.prefix { $0 != UInt8(ascii: "\n") }
        guard let bytes = Base64.decode(text), bytes.count == 32 else {
            throw IdentityError(
                .malformedFile,
                "\(path) does not hold the key that secrets are encrypted with: bring it back from a backup")
        }
        return Vault(key: SymmetricKey(data: bytes))
    }

    /// Whether a text was made by `seal`.
    package static func isSealed(_ text: String) -> Bool { text.hasPrefix(prefix) }

    /// Encrypts a secret.
    ///
    /// - Parameter place: where it is kept; it opens nowhere else.
    package func seal(_ secret: String, for place: String) -> String {
        // Cannot fail: the key has a length that AES has.
        guard
            let box = try? AES.GCM.seal(Array(secret.utf8), using: key, authenticating: Array(place.utf8))
        else { preconditionFailure("AES-GCM refuses a key of 256 bits") }
        return Self.prefix + Base64.encode(Array(box.nonce) + Array(box.ciphertext) + Array(box.tag))
    }

    /// Decrypts what `seal` made for that place.
    ///
    /// - Throws: `IdentityError` with `malformedFile` where another key or place made it, or it was changed.
    package func open(_ sealed: String, for place: String) throws(IdentityError) -> String {
        do {
            let bytes = Self.isSealed(sealed) ? Base64.decode(sealed.dropFirst(Self.prefix.utf8.count)) : nil
            guard let bytes, bytes.count >= Self.nonceLength + Self.tagLength else {
                throw CryptoKitError.incorrectParameterSize
            }
            let box = try AES.GCM.SealedBox(
                nonce: AES.GCM.Nonce(data: bytes.prefix(Self.nonceLength)),
                ciphertext: bytes.dropFirst(Self.nonceLength).dropLast(Self.tagLength),
                tag: bytes.suffix(Self.tagLength))
            let plain = try AES.GCM.open(box, using: key, authenticating: Array(place.utf8))
            return String(decoding: plain, as: UTF8.self)
        } catch {
            throw IdentityError(
                .malformedFile,
                "a stored secret cannot be decrypted (\(place)): \(Self.fileName) in the data directory is not the key that it "
                    + "was encrypted with; bring that file back from a backup", cause: error)
        }
    }
}
