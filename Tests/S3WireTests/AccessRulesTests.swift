import Model
import S3Wire
import Testing

/// Who may do what, all rules together.
@Suite struct AccessRulesTests {
    static let ada = Principal.administrator(name: "ada")
    static let open = BucketPolicyTests.statement()
    static let closed = BucketPolicyTests.statement(effect: #""Deny""#)

    private func rules(
        policy: String? = nil,
        list: CannedAccessControl = .private,
        ownership: ObjectOwnership? = nil,
        _ change: (inout PublicAccessBlock) -> Void = { _ in }
    ) throws -> AccessRules {
        var rules = AccessRules()
        rules.policy = try policy.map { try BucketPolicyTests.policy($0) }
        rules.accessControl = list
        rules.ownership = ownership
        change(&rules.publicAccess)
        return rules
    }

    private func request(_ action: S3Action) -> AccessRequest {
        AccessRequest(action, bucket: "bucket", key: action.isOfObject ? "key" : nil)
    }

    @Test(arguments: S3Action.allCases) func letsAdministratorsDoAllThatIsNotDenied(action: S3Action) throws {
        #expect(try rules().verdict(on: request(action), by: Self.ada) == .allowed)
        let isDenied = try rules(policy: Self.closed).verdict(on: request(action), by: Self.ada) == .denied
        #expect(isDenied != action.isOfPolicy)
    }

    @Test(arguments: S3Action.allCases) func letsOthersDoNothingByDefault(action: S3Action) throws {
        let service = Principal.service(try ServiceName("cows"))
        for principal in [Principal.anonymous, service] {
            #expect(try rules().verdict(on: request(action), by: principal) == .undecided)
            // A policy gives away everything but itself.
            let open: AccessRules.Verdict = action.changesPolicy ? .undecided : .allowed
            #expect(try rules(policy: Self.open).verdict(on: request(action), by: principal) == open)
            #expect(try rules(policy: Self.closed).verdict(on: request(action), by: principal) == .denied)
            let both = try rules(policy: Self.closed, list: .publicReadWrite)
            #expect(both.verdict(on: request(action), by: principal) == .denied)
        }
    }

    @Test func grantsWhatListsSay() throws {
        let service = Principal.service(try ServiceName("cows"))
        let read: Set<S3Action> = [.listBucket, .listBucketVersions, .listBucketMultipartUploads]
        let table: [(CannedAccessControl, Principal, Set<S3Action>)] = [
            (.private, .anonymous, []), (.publicRead, .anonymous, read), (.publicRead, service, read),
            (.publicReadWrite, .anonymous, read.union([.putObject])), (.authenticatedRead, .anonymous, []),
            (.authenticatedRead, service, read),
        ]
        for (list, principal, wanted) in table {
            let rules = try rules(list: list)
            let allowed = S3Action.allCases.filter { rules.verdict(on: request($0), by: principal) == .allowed }
            #expect(Set(allowed) == wanted)
            for action in S3Action.allCases {
                let isRead = action == .getObject || action == .getObjectVersion
                let isAllowed = try self.rules().allows(list, request(action), by: principal)
                #expect(isAllowed == (isRead && !wanted.isEmpty))
            }
        }
    }

    @Test func blocksWhatIsPublic() throws {
        let restricted = try rules(policy: Self.open) { $0.restrictsPublicBuckets = true }
        #expect(restricted.verdict(on: request(.getObject), by: .anonymous) == .undecided)
        #expect(restricted.verdict(on: request(.getObject), by: .service(try ServiceName("cows"))) == .allowed)
        let narrow = BucketPolicyTests.statement(condition: #"{"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#)
        let open = try rules(policy: narrow) { $0.restrictsPublicBuckets = true }
        let inside = AccessRequest(.getObject, bucket: "bucket", key: "k", facts: [.sourceAddress: "10.1.1.1"])
        #expect(open.verdict(on: inside, by: .anonymous) == .allowed)
        let ignoring = try rules(list: .publicRead) { $0.ignoresPublicLists = true }
        #expect(ignoring.verdict(on: request(.listBucket), by: .anonymous) == .undecided)
        #expect(!ignoring.allows(.publicRead, request(.getObject), by: .anonymous))
        let enforced = try rules(list: .publicRead, ownership: .bucketOwnerEnforced)
        #expect(enforced.verdict(on: request(.listBucket), by: .anonymous) == .undecided)
        #expect(!enforced.allows(.publicRead, request(.getObject), by: .anonymous))
        #expect(try rules(list: .publicRead, ownership: .objectWriter).honoursLists)
    }
}
