import Testing

@testable import HTTPAPI

struct MediaTypesTests {
    @Test(arguments: [
        "application/octet-stream", "Application/Octet-Stream", "text/html, application/octet-stream;q=0.9",
        "application/octet-streams", "xapplication/octet-stream",
    ])
    func plainBytes(_ accept: String) { #expect(MediaTypes.wantsBytes(accept)) }

    @Test(
        arguments: [
            nil, "", "*/*", "application/json", "application/octet-strea", "application octet-stream",
            "application\u{f}octet\u{d}stream",
        ] as [String?])
    func others(_ accept: String?) { #expect(!MediaTypes.wantsBytes(accept)) }
}
