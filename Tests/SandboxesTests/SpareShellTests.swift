import Model
import Sandboxes
import SystemPackage
import TestKit
import Testing

/// From the second execution on a shell waits for the script; that must make no difference.
@Suite(.timeLimit(.minutes(5)))
struct SpareShellTests {
    @Test(
        arguments: await Subject.usable(),
        [
            "printf '%s|' \"$0\" \"$#\" \"$VALUE\"; cat; exit 4", "printf %s \"$VALUE\" | od -c; return 5",
            "set -eu; false; echo never", "trap 'echo bye; exit 6' EXIT; echo on", "echo one; if; then; fi; echo two",
            "echo $((LINENO)); cat << END\n$VALUE\nEND\nexec 3>&1; echo three >&3",
            "ls /proc/self/fd | sort -n | tr '\\n' ' '; env | grep -c ^VALUE=; pwd", "kill -9 $$",
            "exec sh -c 'exit 7'",
            "sed -n 1p \"$0\"; x=1; . /dev/null; export x; env | grep ^x=",
            "export VALUE=mine; env | grep '^VALUE=mine'",
        ])
    func makesNoDifference(_ subject: Subject, script: String) async throws {
        try await subject.with { bench in
            try await bench.withInstance(script, change: { $0.environment = ["COMMON": "a'b", "VALUE": "common"] }) {
                instance in
                for value in ["plain", "it's \"a\" $(touch no) `no` \\n\\\n new 'line' ''", "", "ä😀 \u{1}"] {
                    var results: [String] = []
                    for _ in 1...3 {
                        let result = try await bench.run(on: instance) {
                            $0.environment = ["COMMON": "a'b", "VALUE": value]
                        }
                        let error = result.errorText.split(separator: ":").last ?? ""
                        results.append("\(result.ending) \(result.text) \(error)")
                    }
                    #expect(Set(results).count == 1, "\(results)")
                }
            }
        }
    }

    @Test(arguments: await Subject.usable())
    func whatAShellCannotBeTold(_ subject: Subject) async throws {
        try await subject.with { bench in
            try await bench.withInstance(
                "tr '\\0' '\\n' < /proc/$$/environ | grep -c '^with.dots='; printf %s \"$LONG\" | wc -c"
            ) { instance in
                let input = bench.scratch.path.appending("stdin")
                try bench.write(Array("x".utf8), input)
                for (environment, file) in [
                    ([:], nil), (["with.dots": "1"], nil), (["LONG": String(repeating: "x", count: 100_000)], nil),
                    ([:], input), ([:], nil),
                ] as [([String: String], FilePath?)] {
                    let result = try await bench.run(on: instance) {
                        $0.environment = environment
                        $0.standardInput = file
                    }
                    let dots = environment["with.dots"] == nil ? 0 : 1
                    let lines = result.text.split(separator: "\n").map { $0.filter { $0 != " " } }
                    #expect(lines == ["\(dots)", "\(environment["LONG"]?.count ?? 0)"])
                }
            }
        }
    }
}
