import Testing

@testable import Model

struct JobStateTests {
    @Test(arguments: [
        (JobState.queued, "Pending", false), (.stagingIn, "Running", false), (.running, "Running", false),
        (.stagingOut, "Running", false), (.delivering, "Running", false), (.succeeded, "Succeeded", true),
        (.failed, "Failed", true), (.cancelled, "Failed", true),
    ])
    func vocabulary(_ state: JobState, _ status: String, _ isFinal: Bool) {
        #expect(state.oscarStatus == status)
        #expect(state.isFinal == isFinal)
        #expect(!(state.isFinal && state.holdsResources))
    }
}
