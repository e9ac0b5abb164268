import Crypto
import Model
import SystemPackage
import Testing

@testable import Identity

@Suite struct VaultTests {
    @Test func opensWhatItSealed() throws {
        let vault = Vault(key: SymmetricKey(size: .bits256))
        for secret in ["", "s", "geheim ü \u{0}", String(repeating: "x", count: 100_000)] {
            let sealed = vault.seal(secret, for: "user:ada")
            #expect(Vault.isSealed(sealed) && !sealed.contains("geheim"))
            #expect(sealed != vault.seal(secret, for: "user:ada"))
            #expect(try vault.open(sealed, for: "user:ada") == secret)
        }
    }

    @Test func opensNothingElse() throws {
        let vault = Vault(key: SymmetricKey(size: .bits256))
        let sealed = vault.seal("secret", for: "user:ada")
        #expect(throws: IdentityError.self) { try vault.open(sealed, for: "user:bob") }
        #expect(throws: IdentityError.self) {
            try Vault(key: SymmetricKey(size: .bits256)).open(sealed, for: "user:ada")
        }
        for text in [
            "", "v1:", "v1:AAAA", "secret", "v2:" + sealed.dropFirst(3), String(sealed.dropLast(4)), sealed + "AAAA",
        ] {
            #expect(throws: IdentityError.self) { try vault.open(text, for: "user:ada") }
        }
    }

    @Test func keepsItsKeyInAFileOfItsOwner() throws {
        try withTemporaryDirectory { directory in
            let path = directory.appending(Vault.fileName)
            let sealed = try Vault.open(dataDirectory: directory).seal("secret", for: "x")
            #expect(mode(of: path) == 0o600)
            #expect(try Vault.open(dataDirectory: directory).open(sealed, for: "x") == "secret")
            try write(try read(path), to: path, mode: 0o644)
            _ = try Vault.open(dataDirectory: directory)
            #expect(mode(of: path) == 0o600)
            for text in ["", "x", Base64.encode([UInt8](repeating: 1, count: 31))] {
                try write(text, to: path)
                #expect(throws: IdentityError.self) { try Vault.open(dataDirectory: directory) }
            }
        }
    }
}
