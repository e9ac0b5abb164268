import Model
import StateStore
import Testing

@Suite struct UserTests {
    private func user(_ id: String, key: String? = nil) throws -> UserRecord {
        UserRecord(
            id: try UserID(id), name: "Ada \u{1F600}", groups: ["a", "b"], issuer: "https://id.example",
            accessKey: key ?? id,
            sealedSecret: "v1:x", firstSeen: time(1), lastSeen: time(2))
    }

    @Test func keepsUsers() async throws {
        try await withState { state in
            let (ada, bob) = (try user("ada"), try user("bob"))
            try await state.put(bob)
            try await state.put(ada)
            #expect(try await state.users() == [ada, bob])
            var changed = ada
            (changed.name, changed.groups, changed.accessKey, changed.sealedSecret) = ("", [], "other", "v1:y")
            (changed.isDisabled, changed.lastSeen, changed.firstSeen) = (true, time(9), time(8))
            try await state.put(changed)
            // When somebody came first does not change.
            changed.firstSeen = time(1)
            #expect(try await state.users() == [changed, bob])
            #expect(try await state.deleteUser(ada.id))
            #expect(try await state.deleteUser(ada.id) == false)
            #expect(try await state.users() == [bob])
        }
    }

    @Test func noTwoUsersHaveOneKey() async throws {
        try await withState { state in
            try await state.put(try user("ada", key: "key"))
            #expect(await code { try await state.put(try user("bob", key: "key")) } == .alreadyExists)
            #expect(try await state.users().count == 1)
        }
    }
}
