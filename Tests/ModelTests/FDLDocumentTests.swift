import Testing

@testable import Model

struct FDLDocumentTests {
    private static func document(_ text: String) throws -> FDLDocument {
        try FDLDocument(JSONValue.parse(text))
    }

    @Test(arguments: [
        (
            #"{"functions":{"oscar":[{"edge":{"name":"a"}},{"cloud":{"name":"b"},"lab":{"name":"c"}}]}}"#,
            ["functions.oscar[0].edge", "functions.oscar[1].cloud", "functions.oscar[1].lab"]
        ),
        (
            #"{"functions":{"oscar":{"edge":{"name":"a"},"cloud":{"name":"b"}}}}"#,
            ["functions.oscar.edge", "functions.oscar.cloud"]
        ),
        (
            #"{"Functions":{"OSCAR":[{"edge":{"Name":"a"}}],"aws":[]},"storage_providers":null,"clusters":null}"#,
            ["functions.oscar[0].edge"]
        ),
    ])
    func listsServices(_ text: String, _ paths: [String]) throws {
        let document = try Self.document(text)
        #expect(document.services.map(\.path) == paths)
        #expect(document.services.map(\.name) == Array(["a", "b", "c"].prefix(paths.count)))
    }

    @Test(arguments: [
        ("null", ""), ("[]", ""), ("{}", "functions"), (#"{"functions":null}"#, "functions"),
        (#"{"functions":[]}"#, "functions"),
        (#"{"functions":{}}"#, "functions.oscar"), (#"{"functions":{"oscar":null}}"#, "functions.oscar"),
        (#"{"functions":{"oscar":"x"}}"#, "functions.oscar"),
        (#"{"functions":{"oscar":[]}}"#, "functions.oscar"),
        (#"{"functions":{"oscar":[{}]}}"#, "functions.oscar"),
        (#"{"functions":{"oscar":[3]}}"#, "functions.oscar[0]"),
        (#"{"functions":{"oscar":[{"a":{}},{"b":3}]}}"#, "functions.oscar[1].b"),
        (#"{"functions":{"oscar":[{"a":null}]}}"#, "functions.oscar[0].a"),
        (#"{"functions":{"oscar":[{"a":{}}]},"clusters":[]}"#, "clusters"),
        (#"{"functions":{"oscar":[{"a":{}}]},"storage_providers":3}"#, "storage_providers"),
    ])
    func saysWhereItIsWrong(_ text: String, _ path: String) throws {
        let error = #expect(throws: FDLError.self) { try Self.document(text) }
        #expect(error?.path == path)
        #expect(error?.description.isEmpty == false)
    }

    @Test func requestsCarryAllThatWasWritten() throws {
        let document = try Self.document(
            #"""
            {"functions":{"oscar":[{"edge":{"name":"a","Script":"run.sh","future":[1.50],
              "storage_providers":{"minio":{"x":{"endpoint":"mine"}}}}}]},
             "storage_providers":{"minio":{"x":{"endpoint":"theirs"},"y":{}},"s3":{"z":{}}},"clusters":{"cloud":{"endpoint":"e"}}}
            """#
        )
        let body = try document.request(for: document.services[0], clusterID: "lab", name: "b") { path in
            #expect(path == "run.sh")
            return "echo hi\n"
        }
        #expect(
            body.text()
                == #"{"name":"b","Script":"echo hi\n","future":[1.50],"#
                + #""storage_providers":{"minio":{"x":{"endpoint":"mine"},"y":{}},"s3":{"z":{}}},"#
                + #""cluster_id":"lab","clusters":{"cloud":{"endpoint":"e"}}}"#
        )
    }

    @Test func requestsWithoutAScriptAskForNone() throws {
        let document = try Self.document(#"{"functions":{"oscar":[{"edge":{"name":"a"}}]}}"#)
        let body = try document.request(for: document.services[0]) { _ in
            Issue.record("asked for a script")
            return ""
        }
        #expect(body.text() == #"{"name":"a"}"#)
    }

    @Test(arguments: [
        (#""script":{}"#, "functions.oscar[0].edge.script"),
        (#""script":"s","cpu":"x""#, "functions.oscar[0].edge.cpu"),
        (#""script":"s","output":[{"path":"a/b"}]"#, "functions.oscar[0].edge.output[0].path"),
        (#""script":"s","clusters":3"#, "functions.oscar[0].edge.clusters"),
        (#""cpu":1"#, "functions.oscar[0].edge.script"),
    ])
    func errorsOfServicesHaveTheirPlace(_ more: String, _ path: String) throws {
        let document = try Self.document(
            #"{"functions":{"oscar":[{"edge":{"name":"abc","image":"i","# + more
                + #"}}]},"clusters":{"c":{"endpoint":"e"}}}"#
        )
        let error = #expect(throws: FDLError.self) {
            try document.definition(of: document.services[0]) { _ in "text" }
        }
        #expect(error?.path == path)
    }

    @Test func errorsOfScriptsPassThrough() throws {
        struct Missing: Error {}
        let document = try Self.document(#"{"functions":{"oscar":[{"edge":{"script":"x"}}]}}"#)
        #expect(throws: Missing.self) {
            try document.request(for: document.services[0]) { _ in throw Missing() }
        }
    }
}
