import Model
import TestKit
import Testing

/// The one table of who may do what.
@Suite struct AuthorizationTests {
    static let administrator = Principal.administrator(name: "boss")
    static let alice = Self.user("alice")
    static let bob = Self.user("bob")
    static let watcher = Self.user("watcher", isOperator: true)

    static func user(_ name: String, groups: [String] = [], isOperator: Bool = false) -> Principal {
        guard let id = try? UserID(name) else { return .anonymous }
        return .user(User(id: id, groups: groups, isOperator: isOperator))
    }

    static func service(_ name: String) -> Principal { (try? ServiceName(name)).map(Principal.service) ?? .anonymous }

    static func cow(
        owner: String,
        _ visibility: ServiceDefinition.Visibility = .private,
        allowed: [String] = [],
        vo: String = ""
    ) throws -> ProtectedService {
        ProtectedService(
            try ServiceName("cow"), Sharing(owner: owner, visibility: visibility, allowedUsers: allowed),
            virtualOrganisation: vo)
    }

    /// What the table says in letters: who beside the administrator, in the order of `Relation.all`.
    static func letters(_ relation: Relation) -> String {
        Relation.all.filter { relation.contains($0.relation) }.map(\.name).joined(separator: " ")
    }

    // MARK: The table, word for word

    @Test func clusterTable() {
        let expected: [Action.OfCluster: String] = [
            .readHealth: "anyone", .readPrometheus: "anyone", .askForAccess: "anyone", .readAPIDescription: "anyone",
            .readInfo: "user", .readConfig: "user", .readStatus: "user", .readMetrics: "user", .readOneself: "user",
            .listImages: "user", .listDeliveries: "user", .changeDeliveries: "user", .listEvents: "user",
            .listSchedules: "user", .listServices: "user", .createService: "user", .updateServices: "user",
            .listJobs: "user", .changeJobs: "user", .listBuckets: "user", .createBucket: "user",
            .updateBuckets: "user", .listVolumes: "user", .createVolume: "user", .readWholeStatus: "operator",
            .readSystemLogs: "operator", .readAudit: "operator", .changeConfig: "", .changeImages: "",
            .steerWebhooks: "", .listUsers: "operator", .changeUsers: "",
        ]
        for action in Action.OfCluster.allCases {
            #expect(Self.letters(action.allowed) == expected[action], "\(action)")
        }
    }

    @Test func serviceTable() {
        let expected: [Action.OfService: String] = [
            .read: "owner member", .readDeployment: "owner member", .listJobs: "owner member",
            .removeJobs: "owner member", .readMetrics: "owner member", .run: "owner member itself",
            .postJob: "owner member itself", .reachExposed: "owner member itself", .readCredentials: "owner",
            .update: "owner", .delete: "owner", .transfer: "owner", .steer: "owner", .pause: "owner",
            .readDeploymentLogs: "owner", .readAllJobs: "owner", .readFederation: "owner", .editFederation: "owner",
            .readBackfills: "owner", .changeBackfills: "owner", .readSchedules: "owner", .changeDeliveries: "owner",
        ]
        for action in Action.OfService.allCases {
            #expect(Self.letters(action.allowed) == expected[action], "\(action)")
        }
    }

    @Test func otherTables() {
        for action in Action.OfJob.allCases { #expect(Self.letters(action.allowed) == "owner causer") }
        let buckets: [Action.OfBucket: String] = [
            .list: "owner member", .readObject: "owner member", .writeObject: "owner member",
            .deleteObject: "owner member", .deleteVersion: "owner", .readSettings: "owner", .changeSettings: "owner",
            .delete: "owner",
        ]
        for action in Action.OfBucket.allCases { #expect(Self.letters(action.allowed) == buckets[action], "\(action)") }
        for action in Action.OfVolume.allCases { #expect(Self.letters(action.allowed) == "owner") }
        let users: [Action.OfUser: String] = [
            .read: "owner", .readQuota: "operator owner", .changeQuota: "", .changeKeys: "owner",
        ]
        for action in Action.OfUser.allCases { #expect(Self.letters(action.allowed) == users[action], "\(action)") }
    }

    // MARK: Who is what

    @Test func administratorMayEverything() throws {
        let cow = try Self.cow(owner: "alice")
        #expect(Action.OfCluster.allCases.allSatisfy { Self.administrator.may($0) })
        #expect(Action.OfService.allCases.allSatisfy { Self.administrator.may($0, cow) })
        #expect(Action.OfJob.allCases.allSatisfy { Self.administrator.may($0, cow, causedBy: "bob") })
        #expect(Action.OfBucket.allCases.allSatisfy { Self.administrator.may($0, cow.sharing) })
        #expect(Action.OfVolume.allCases.allSatisfy { Self.administrator.may($0, ofOwner: "alice") })
        let bob = try UserID("bob")
        #expect(Action.OfUser.allCases.allSatisfy { Self.administrator.may($0, bob) })
    }

    @Test func nobodyMayOnlyWhatAnyoneMay() throws {
        let cow = try Self.cow(owner: "alice", .public)
        let open: Set<Action.OfCluster> = [.readHealth, .readPrometheus, .askForAccess, .readAPIDescription]
        for nobody in [Principal.anonymous, Self.service("calf")] {
            #expect(Set(Action.OfCluster.allCases.filter { nobody.may($0) }) == open)
            #expect(!Action.OfService.allCases.contains { nobody.may($0, cow) })
            #expect(!Action.OfJob.allCases.contains { nobody.may($0, cow, causedBy: nobody.name) })
            #expect(!Action.OfBucket.allCases.contains { nobody.may($0, cow.sharing) })
            #expect(!Action.OfVolume.allCases.contains { nobody.may($0, ofOwner: nobody.name) })
        }
    }

    @Test func serviceMayOnlyInvokeItself() throws {
        let cow = try Self.cow(owner: "cow", vo: "vo.a")
        let itself = Set(Action.OfService.allCases.filter { Self.service("cow").may($0, cow) })
        #expect(itself == [.run, .postJob, .reachExposed])
        #expect(!Action.OfJob.allCases.contains { Self.service("cow").may($0, cow, causedBy: "cow") })
    }

    @Test(arguments: [
        (ServiceDefinition.Visibility.private, [String](), false), (.private, ["bob"], false),
        (.restricted, [], false), (.restricted, ["bob"], true), (.restricted, ["bo", "bobby", "Bob"], false),
        (.public, [], true),
    ])
    func visibility(_ visibility: ServiceDefinition.Visibility, allowed: [String], isMember: Bool) throws {
        let cow = try Self.cow(owner: "alice", visibility, allowed: allowed)
        for action in Action.OfService.allCases {
            #expect(Self.alice.may(action, cow), "\(action)")
            #expect(Self.bob.may(action, cow) == (isMember && action.allowed.contains(.member)), "\(action)")
            #expect(!Self.watcher.may(action, cow) || visibility == .public)
        }
        for action in Action.OfBucket.allCases {
            #expect(Self.alice.may(action, cow.sharing))
            #expect(Self.bob.may(action, cow.sharing) == (isMember && action.allowed.contains(.member)), "\(action)")
        }
    }

    @Test func membersOfOtherOrganisationsSeeButDoNotRun() throws {
        let cow = try Self.cow(owner: "alice", .public, vo: "vo.a")
        let member = Self.user("bob", groups: ["vo.a", "vo.b"])
        for action in [Action.OfService.run, .postJob] {
            #expect(member.may(action, cow))
            #expect(!Self.bob.may(action, cow))
            #expect(!Self.user("bob", groups: ["vo.A", "vo"]).may(action, cow))
        }
        #expect(Self.bob.may(.read, cow))
    }

    @Test func jobsBelongToOwnerAndCauser() throws {
        let cow = try Self.cow(owner: "alice", .public)
        for action in Action.OfJob.allCases {
            #expect(Self.alice.may(action, cow, causedBy: "bob"))
            #expect(Self.bob.may(action, cow, causedBy: "bob"))
            #expect(!Self.bob.may(action, cow, causedBy: "carol"))
            // What the service's token has caused is not that user's who is called like the service.
            #expect(!Self.user("cow").may(action, cow, causedBy: "cow"))
        }
    }

    @Test func reservedNamesAreNoUsers() {
        for name in UserID.reserved { #expect(throws: NameError.self) { try UserID(name) } }
        #expect(Principal(owner: "cluster_admin") == .administrator(name: "cluster_admin"))
        #expect(Principal(owner: "") == .administrator(name: ""))
        #expect(Principal(owner: "alice") == Self.alice)
        #expect(Principal(owner: "a\u{0}b") == .anonymous)
        #expect(Self.administrator.ownerName == "cluster_admin")
        #expect(Self.alice.ownerName == "alice")
    }

    @Test func sharingSurvivesItsDocument() throws {
        for visibility in ServiceDefinition.Visibility.allCases {
            let sharing = Sharing(owner: "alice", visibility: visibility, allowedUsers: ["bob", "o\"k"])
            #expect(Sharing(owner: "alice", document: sharing.document) == sharing)
        }
        #expect(Sharing(owner: "alice").document == nil)
        for damaged in ["", "{", "[]", #"{"visibility":"all"}"#] {
            #expect(Sharing(owner: "alice", document: damaged) == Sharing(owner: "alice"))
        }
    }

    // MARK: Properties

    /// Whatever the resource, only these relations open it: no principal crosses from one tenant to another.
    @Test func nothingCrossesTenants() throws {
        var random = SeededGenerator(seed: 20_261_201)
        let names = ["a", "b", "ab", "A", "a ", "cow", "é", "e\u{301}"]
        for _ in 0..<5000 {
            let name = names.randomElement(using: &random) ?? "a"
            let owner = names.randomElement(using: &random) ?? "a"
            let causer = names.randomElement(using: &random) ?? "a"
            let allowed = names.filter { _ in Bool.random(using: &random) }
            let visibility = ServiceDefinition.Visibility.allCases.randomElement(using: &random) ?? .private
            let user = Self.user(name, isOperator: Bool.random(using: &random))
            let cow = try Self.cow(owner: owner, visibility, allowed: allowed)
            func same(_ one: String, _ other: String) -> Bool { Array(one.utf8) == Array(other.utf8) }
            let isOwner = same(name, owner)
            let isMember =
                visibility == .public || visibility == .restricted && allowed.contains { same($0, name) }
            for action in Action.OfService.allCases where user.may(action, cow) {
                #expect(isOwner || isMember && action.allowed.contains(.member))
            }
            for action in Action.OfBucket.allCases where user.may(action, cow.sharing) {
                #expect(isOwner || isMember && action.allowed.contains(.member))
            }
            for action in Action.OfJob.allCases where user.may(action, cow, causedBy: causer) {
                #expect(isOwner || same(name, causer))
            }
            for action in Action.OfVolume.allCases {
                #expect(user.may(action, ofOwner: owner) == isOwner)
            }
        }
    }
}
