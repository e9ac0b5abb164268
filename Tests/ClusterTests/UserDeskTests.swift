import Cluster
import ClusterTesting
import Crypto
import DurableSQLite
import Identity
import Logging
import LoopbackServer
import Model
import S3Wire
import StateStore
import Synchronization
import SystemPackage
import Testing

@Suite struct UserDeskTests {
    private final class Clock: Sendable {
        let time = Mutex(Instant(seconds: 1_000_000))
        func now() -> Instant { time.withLock { $0 } }
        func pass(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
    }

    private let vault = Vault(key: SymmetricKey(size: .bits256))
    private let clock = Clock()
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func desk(_ state: ClusterState, vault: Vault? = nil, groups: Set<String> = []) async throws -> UserDesk {
        let clock = clock
        return try await UserDesk.open(
            store: state, vault: vault ?? self.vault,
            settings: .init(groups: groups, operators: ["boss"], reserved: ["chief"]), now: { clock.now() },
            logger: logger)
    }

    private func with(_ body: (ClusterState) async throws -> Void) async throws {
        try await TemporaryFolder.with { folder in
            let state = try await ClusterState.open(at: folder.appending("state.sqlite").string, durability: .never)
            do { try await body(state) } catch {
                await state.close()
                throw error
            }
            await state.close()
        }
    }

    private func login(_ id: String, _ groups: [String] = [], issuer: String = "https://one") throws -> VerifiedLogin {
        VerifiedLogin(id: try Model.UserID(id), issuer: issuer, name: "N", groups: groups)
    }

    @Test func whoComesFirstGetsKeysThatStay() async throws {
        try await with { state in
            let desk = try await desk(state)
            let ada = try Model.UserID("ada")
            #expect(!desk.isActive(ada) && desk.keys(of: ada) == nil)
            #expect(
                try await desk.admit(login("ada", ["b", "a"])).get() == User(id: ada, name: "N", groups: ["a", "b"]))
            let keys = try #require(desk.keys(of: ada))
            #expect(keys.accessKey == "ada" && keys.secretKey.count == 40)
            #expect(desk.user(forAccessKey: "ada")?.secret == keys.secretKey)
            #expect(desk.user(forAccessKey: "ada")?.user.groups == ["a", "b"])
            #expect(try await desk.admit(login("boss")).get().isOperator)
            // In the store nobody can read them.
            let record = try #require(try await state.users().first)
            #expect(!record.sealedSecret.contains(keys.secretKey))
            let again = try await self.desk(state)
            #expect(again.keys(of: ada)?.secretKey == keys.secretKey)
            #expect(again.isActive(ada))
        }
    }

    @Test func manyFirstLoginsAtOnceMakeOneUser() async throws {
        try await with { state in
            let desk = try await desk(state)
            let login = try login("ada")
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<50 { group.addTask { _ = await desk.admit(login) } }
            }
            #expect(desk.records.count == 1)
            let secret = desk.keys(of: login.id)?.secretKey
            #expect(try await self.desk(state).keys(of: login.id)?.secretKey == secret)
        }
    }

    @Test func loginsAreRecordedNotTooOften() async throws {
        try await with { state in
            let desk = try await desk(state)
            _ = await desk.admit(try login("ada", ["a"]))
            clock.pass(.seconds(10))
            _ = await desk.admit(try login("ada", ["a"]))
            #expect(try await state.users().first?.lastSeen == Instant(seconds: 1_000_000))
            _ = await desk.admit(try login("ada", ["a", "b"]))
            #expect(try await state.users().first?.groups == ["a", "b"])
            clock.pass(.seconds(601))
            _ = await desk.admit(try login("ada", ["a", "b"]))
            #expect(try await state.users().first?.lastSeen == Instant(seconds: 1_000_611))
        }
    }

    @Test func nobodyIsWhoTheClusterIs() async throws {
        try await with { state in
            let desk = try await desk(state)
            await #expect(throws: LoginRefusal.self) { try await desk.admit(login("chief")).get() }
            #expect(desk.records.isEmpty)
        }
    }

    @Test func twoProvidersCannotNameTheSameUser() async throws {
        try await with { state in
            let desk = try await desk(state)
            _ = try await desk.admit(login("ada")).get()
            await #expect(throws: LoginRefusal.self) { try await desk.admit(login("ada", issuer: "https://two")).get() }
        }
    }

    @Test func aNameThatIsAnotherOnesKeyGetsItsOwn() async throws {
        try await with { state in
            let desk = try await desk(state)
            _ = try await desk.admit(login("a/b")).get()
            let derived = try #require(desk.keys(of: try Model.UserID("a/b"))).accessKey
            _ = try await desk.admit(login(derived)).get()
            #expect(try #require(desk.keys(of: try Model.UserID(derived))).accessKey != derived)
            #expect(desk.user(forAccessKey: derived)?.user.id.text == "a/b")
        }
    }

    @Test func whoIsDisabledStopsAtOnce() async throws {
        try await with { state in
            let desk = try await desk(state)
            let told = Mutex<[String]>([])
            desk.whenChanged { id in told.withLock { all in all.append(id.text) } }
            let ada = try await desk.admit(login("ada")).get().id
            let secret = desk.keys(of: ada)?.secretKey
            #expect(try await desk.setDisabled(true, ada).isDisabled)
            #expect(!desk.isActive(ada) && desk.user(forAccessKey: "ada") == nil)
            await #expect(throws: LoginRefusal.self) { try await desk.admit(login("ada")).get() }
            #expect(told.withLock { $0 } == ["ada"])
            let again = try await self.desk(state)
            #expect(again.user(forAccessKey: "ada") == nil)
            _ = try await again.setDisabled(false, ada)
            #expect(again.user(forAccessKey: "ada")?.secret == secret)
        }
    }

    @Test func keysAreRotatedTakenAndForgotten() async throws {
        try await with { state in
            let desk = try await desk(state)
            let ada = try await desk.admit(login("ada")).get().id
            let old = desk.keys(of: ada)?.secretKey
            let new = try await desk.rotateKeys(of: ada)
            #expect(new.secretKey != old && desk.user(forAccessKey: new.accessKey)?.secret == new.secretKey)
            try await desk.removeKeys(of: ada)
            #expect(desk.user(forAccessKey: "ada") == nil && desk.keys(of: ada) == nil && desk.isActive(ada))
            // A login brings none back.
            clock.pass(.seconds(3600))
            _ = await desk.admit(try login("ada"))
            #expect(desk.keys(of: ada) == nil)
            _ = try await desk.rotateKeys(of: ada)
            try await desk.remove(ada)
            #expect(desk.user(forAccessKey: "ada") == nil && !desk.isActive(ada))
            #expect(try await state.users().isEmpty)
            let nobody = await #expect(throws: ClusterError.self) { try await desk.remove(ada) }
            #expect(nobody?.code == .notFound)
        }
    }

    @Test func keysOfWhoIsInNoneOfTheGroupsAnyMoreDoNotWork() async throws {
        try await with { state in
            _ = try await desk(state).admit(login("ada", ["old"])).get()
            #expect(try await desk(state, groups: ["old"]).user(forAccessKey: "ada") != nil)
            #expect(try await desk(state, groups: ["new"]).user(forAccessKey: "ada") == nil)
        }
    }

    @Test func aLostKeyFileCostsTheKeysAndNothingElse() async throws {
        try await with { state in
            let ada = try await desk(state).admit(login("ada")).get().id
            let before = try await state.users()
            let desk = try await desk(state, vault: Vault(key: SymmetricKey(size: .bits256)))
            #expect(desk.keys(of: ada) == nil && desk.isActive(ada))
            // Whoever brings the file back finds all as it was.
            #expect(try await state.users() == before)
            _ = try await desk.admit(login("ada")).get()
            #expect(desk.keys(of: ada) != nil)
        }
    }
}
