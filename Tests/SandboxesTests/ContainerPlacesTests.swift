import Testing

@testable import Sandboxes

@Suite("The places of a container")
struct ContainerPlacesTests {
    @Test("begin the runtime's log, so that there is room for what it says on a disk that is full by then")
    func roomForTheLog() throws {
        let scratch = try Scratch()
        let places = ContainerPlaces(directory: scratch.path)
        try places.make(configuration: [])
        #expect(SystemFiles.text(places.log) == "\n")
    }
}
