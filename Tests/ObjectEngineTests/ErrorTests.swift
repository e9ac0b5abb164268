import DurableSQLite
import SystemPackage
import Testing

@testable import ObjectEngine

@Suite struct ErrorTests {
    @Test(arguments: [
        (Errno.noSpace, ObjectStoreError.Code.storageFull), (.diskQuotaExceeded, .storageFull),
        (.ioError, .io),
        (.permissionDenied, .io), (.readOnlyFileSystem, .io),
    ])
    func tellsWhatASystemCallMeans(number: Errno, code: ObjectStoreError.Code) {
        let error = ObjectStoreError(number, "cannot write")
        #expect(
            error.code == code && error.cause as? Errno == number && error.message.hasPrefix("cannot write: ")
        )
    }

    @Test(arguments: [
        (DurableSQLiteError.Code.full, ObjectStoreError.Code.storageFull), (.newerVersion, .newerVersion),
        (.corrupt, .damaged), (.io, .io), (.busy, .io), (.constraint, .misuse), (.misuse, .misuse),
        (.closed, .closed),
        (.cancelled, .closed),
    ])
    func tellsWhatTheIndexMeans(database: DurableSQLiteError.Code, code: ObjectStoreError.Code) {
        #expect(ObjectStoreError(index: DurableSQLiteError(code: database, message: "m")).code == code)
    }

    @Test func ownErrorsPassThroughTheIndex() {
        #expect(ObjectStoreError(index: ObjectStoreError(.noSuchKey, "m")).code == .noSuchKey)
        #expect(ObjectStoreError(index: Errno.ioError).code == .misuse)
    }

    @Test(
        arguments: [
            ("", nil), ("a", "b"), ("a/", "a0"), ("a\u{10FFFF}", "b"), ("\u{10FFFF}", nil),
            ("\u{D7FF}", "\u{E000}"), ("é", "ê"),
        ] as [(String, String?)]
    )
    func theEndOfAPrefix(prefix: String, end: String?) {
        #expect(KeyRange.end(ofPrefix: prefix) == end)
    }

    @Test(arguments: [
        ("", false), ("0123456789abcdef0123456789abcdef", true), ("0123456789ABCDEF0123456789abcdef", false),
        ("0123456789abcdef0123456789abcde", false), ("../../../../../../../etc/passwd0", false),
    ])
    func onlyNamesOfContentAreTaken(text: String, isName: Bool) {
        #expect((ContentID(text) != nil) == isName)
    }

    @Test func namesOfContentAreNew() {
        let ids = (0..<1000).map { _ in ContentID.new(at: clock.now()) }
        #expect(Set(ids).count == 1000 && ids.allSatisfy { ContentID($0.text) == $0 })
    }

    @Test(arguments: ["{", "[]", "7"])
    func damagedAttributesAreToldSo(text: String) {
        let error = #expect(throws: ObjectStoreError.self) {
            try ObjectAttributes(contentType: "a/b", text: text)
        }
        #expect(error?.code == .damaged)
    }
}
