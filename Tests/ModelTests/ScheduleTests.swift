import Model
import Testing

@Suite("Schedules, retention and kinds of events in a definition")
struct ScheduleTests {
    private func definition(_ more: String) throws -> ServiceDefinition {
        let text = #"{"name":"s","image":"i","script":"true","input":[{"path":"bucket/in"}],"# + more + "}"
        return try ServiceDefinition.parse(try JSONValue.parse(text))
    }

    private func refusal(_ more: String) -> String? {
        do {
            _ = try definition(more)
            return nil
        } catch { return "\(error)" }
    }

    @Test("a list, one object, or only a text; names come from what they say")
    func forms() throws {
        let all = try definition(
            #"""
            "schedule":[{"cron":" 0  2 * * *","time_zone":"Europe/Madrid","missed":"all","max_missed":3,"name":"n",
            "event":{"a":[1]}},{"rate":"5 minutes","missed":"skip"},"rate(1 hour)","@daily",
            {"cron":"rate(7 days)"},{"rate":"90s"}]
            """#
        ).schedules
        #expect(
            all.map(\.name) == ["n", "rate(5 minutes)", "rate(1 hour)", "@daily", "rate(7 days)", "rate(90 seconds)"])
        #expect(all.map(\.expression)[0] == "0 2 * * * Europe/Madrid")
        #expect(all[0].missed == .all(limit: 3))
        #expect(all[1].missed == .skip)
        #expect(all[2].missed == .once)
        #expect(all[4].timing == .rate(seconds: 604_800))
        #expect(try definition(#""schedule":"0 2 * * *""#).schedules.count == 1)
        #expect(try definition(#""schedule":{"rate":"1m"}"#).schedules.count == 1)
        #expect(try definition(#""schedule":null"#).schedules.isEmpty)
        #expect(try definition(#""schedule":[]"#).schedules.isEmpty)
    }

    @Test(
        "what cannot be a schedule is refused, with its place",
        arguments: [
            (#""schedule":[{"cron":"0 2 * *"}]"#, "schedule[0].cron: \"0 2 * *\" must have five fields"),
            (#""schedule":[{"cron":"60 2 * * *"}]"#, "minute: \"60\" in \"60\" is not a number from 0 to 59"),
            (#""schedule":["@reboot"]"#, "schedule[0]: \"@reboot\" is not one of"),
            (#""schedule":[{"cron":"0 0 30 2 *"}]"#, "is never due"),
            (#""schedule":[{"rate":"0 minutes"}]"#, "schedule[0].rate: \"0 minutes\" is not a rate"),
            (#""schedule":[{"rate":"5 months"}]"#, "is not a rate"),
            (#""schedule":[{"rate":"999999999999999999 days"}]"#, "is not a rate"),
            (#""schedule":[{}]"#, "schedule[0]: write either cron"),
            (#""schedule":[{"cron":"0 0 * * *","rate":"1m"}]"#, "write either cron"),
            (#""schedule":[{"cron":"0 0 * * *","time_zone":"../../etc/passwd"}]"#, "schedule[0].time_zone"),
            (#""schedule":[{"cron":"0 0 * * *","time_zone":"/etc/localtime"}]"#, "schedule[0].time_zone"),
            (#""schedule":[{"rate":"1m","time_zone":"Europe/Madrid"}]"#, "goes with cron"),
            (#""schedule":[{"rate":"1m","missed":"sometimes"}]"#, "write skip, once or all"),
            (#""schedule":[{"rate":"1m","max_missed":0}]"#, "must be from 1 to 1000"),
            (#""schedule":[{"rate":"1m"},{"rate":"60s"}]"#, "is there twice"),
            (#""schedule":[5]"#, "must be an object"),
            (#""retention":{"jobs":-1}"#, "retention.jobs"),
            (#""retention":{"age":"soon"}"#, "retention.age"),
            (#""retention":{"bytes":"many"}"#, "retention.bytes"),
            (#""input":[{"path":"bucket/in","events":["gone"]}]"#, "input[0].events: \"gone\" is not allowed"),
        ] as [(String, String)])
    func refusals(_ more: String, _ words: String) {
        let refusal = refusal(more)
        #expect(refusal?.contains(words) == true, "\(refusal ?? "it was taken")")
    }

    @Test("a payload that is too large is refused")
    func largePayload() {
        let payload = String(repeating: "x", count: 60_000)
        #expect(refusal(#""schedule":[{"rate":"1m","event":"\#(payload)"}]"#)?.contains("at most 48 KiB") == true)
    }

    @Test("what is stored is read again, and nothing is written where nothing was said")
    func roundTrip() throws {
        let written = try definition(
            #"""
            "schedule":[{"cron":"5/20 8-10 ? JAN MON","time_zone":"Africa/Cairo","missed":"all","max_missed":9},"rate(1 day)"],
            "retention":{"jobs":10,"age":"7d","bytes":"1Gi"},"input":[{"path":"bucket/in","events":["removed"]}]
            """#)
        let read = try ServiceDefinition(stored: written.storedJSON())
        #expect(read.schedules == written.schedules)
        #expect(read.retention == .init(jobs: 10, age: .seconds(604_800), bytes: ByteCount(1 << 30)))
        #expect(read.input.first?.events == [.removed])
        let plain = try definition(#""cpu":1"#).storedJSON()
        for key in ["schedule", "retention"] { #expect(plain[key] == nil) }
        #expect(plain["input"]?[0]?["events"] == nil)
        #expect(try ServiceDefinition(stored: plain).input.first?.events == [.created])
    }

    @Test("a schedule's job gets its payload, or a document that says what is due")
    func events() throws {
        let all = try definition(
            #""schedule":[{"rate":"1m","event":{"b":1,"a":2}},{"rate":"2m","event":"text"},"@hourly"]"#
        )
        .schedules
        let texts = all.map {
            String(decoding: $0.eventBytes(service: try! ServiceName("s"), due: Instant(seconds: 3600)), as: UTF8.self)
        }
        #expect(texts[0] == #"{"b":1,"a":2}"#)
        #expect(texts[1] == "text")
        #expect(
            texts[2]
                == #"{"source":"apus:schedule","service":"s","schedule":"@hourly","time":"1970-01-01T01:00:00Z"}"#)
    }

    @Test("fields of cron expressions that are wrong are refused, whatever they are")
    func hostileCron() {
        for text in [
            "", " ", "* * * * * *", "*/0 * * * *", "*/60 * * * *", "1-0 * * * *", "FRI-MON * * * *", "* 24 * * *",
            "* * 0 * *", "* * 32 * *", "* * * 0 *", "* * * 13 *", "* * * * 8", "* * L * *", "* * * * MON#1",
            ", * * * *",
            "1,,2 * * * *", "1- * * * *", "-1 * * * *", "+1 * * * *", "1/ * * * *", "/2 * * * *", "** * * * *",
            "? * * * *", "* ? * * *", "001 * * * *", "0x1 * * * *", "* * * janu *", "\u{661} * * * *", "@",
            "@Daily now",
            "0 0 31 2,4,6 *", String(repeating: "1,", count: 400) + "1 * * * *",
        ] {
            #expect(throws: CronError.self, "\(text)") { try CronExpression(text) }
        }
    }
}
