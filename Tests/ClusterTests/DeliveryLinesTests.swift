import Model
import Testing

@testable import Cluster

/// Lines that an expectation may change.
private final class Table {
    var lines = DeliveryLines()

    func begin(_ destination: DeliveryLines.Destination, version: Int64?, at now: Instant) -> Bool {
        lines.begin(destination, version: version, at: now)
    }
}

@Suite struct DeliveryLinesTests {
    private typealias Destination = DeliveryLines.Destination

    private let start = Instant(seconds: 1000)
    private let near: Destination
    private let far: Destination

    init() throws {
        near = Destination(service: try ServiceName("near"), provider: "minio.other")
        far = Destination(service: try ServiceName("far"), provider: "minio.other")
    }

    @Test func oneLineADestination() {
        let table = Table()
        #expect(table.begin(near, version: 1, at: start))
        #expect(!table.begin(near, version: 1, at: start))
        #expect(!table.begin(near, version: 2, at: start))
        #expect(table.begin(far, version: 1, at: start))
    }

    /// What was read before a line's end may have been delivered by it.
    @Test func anEndedLineIsFreeAfterTheNextPreparationOnly() {
        let table = Table()
        #expect(table.begin(near, version: 1, at: start))
        table.lines.prepare()
        #expect(!table.begin(near, version: 1, at: start))
        table.lines.end(near)
        #expect(!table.begin(near, version: 1, at: start))
        table.lines.prepare()
        #expect(table.begin(near, version: 1, at: start))
        table.lines.prepare()
        #expect(!table.begin(near, version: 1, at: start))
    }

    @Test func aFailureLetsOnlyItsDestinationRest() {
        let table = Table()
        let end = start + .seconds(10)
        table.lines.failed(near, version: 1, until: end, at: start)
        #expect(!table.begin(near, version: 1, at: start))
        #expect(!table.begin(near, version: 1, at: end - .nanoseconds(1)))
        #expect(table.begin(far, version: 1, at: start))
        #expect(table.begin(near, version: 1, at: end))
    }

    @Test(arguments: [nil, 2] as [Int64?])
    func anUpdatedServiceDoesNotRest(version: Int64?) {
        let table = Table()
        table.lines.failed(near, version: 1, until: start + .seconds(10), at: start)
        #expect(table.begin(near, version: version, at: start))
    }

    @Test func failuresAreCountedUntilASuccess() {
        let table = Table()
        #expect(table.lines.failureCount(of: near) == 0)
        for number in 1...3 {
            table.lines.failed(near, version: 1, until: start, at: start)
            #expect(table.lines.failureCount(of: near) == number)
        }
        #expect(table.lines.failureCount(of: far) == 0)
        table.lines.succeeded(near)
        #expect(table.lines.failureCount(of: near) == 0)
        #expect(table.begin(near, version: 1, at: start))
    }

    @Test func theNextEndOfRest() {
        let table = Table()
        #expect(table.lines.nextEndOfRest(after: start) == nil)
        table.lines.failed(near, version: 1, until: start + .seconds(30), at: start)
        table.lines.failed(far, version: 1, until: start + .seconds(5), at: start)
        #expect(table.lines.nextEndOfRest(after: start) == start + .seconds(5))
        #expect(table.lines.nextEndOfRest(after: start + .seconds(5)) == start + .seconds(30))
        #expect(table.lines.nextEndOfRest(after: start + .seconds(30)) == nil)
    }

    @Test func destinationsThatAreGoneAreForgotten() {
        let table = Table()
        table.lines.failed(near, version: 1, until: start, at: start)
        table.lines.failed(far, version: 1, until: start, at: start + .seconds(599))
        #expect(table.lines.failureCount(of: near) == 1)
        table.lines.failed(far, version: 1, until: start + .seconds(700), at: start + .seconds(700))
        #expect(table.lines.failureCount(of: near) == 0)
    }
}
