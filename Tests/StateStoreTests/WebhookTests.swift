import Model
import StateStore
import Testing

@Suite("Deliveries to webhooks", .timeLimit(.minutes(1)))
struct WebhookTests {
    static func delivery(_ webhook: String, _ event: Int64) -> NewWebhookDelivery {
        NewWebhookDelivery(webhook: webhook, eventSequence: event, body: [UInt8(event), 0, 255])
    }

    @Test("are committed with the router's place, in order, once for each event")
    func order() async throws {
        try await withState { state in
            let deliveries = [1, 2, 3].map { Self.delivery("a", $0) } + [Self.delivery("b", 2)]
            try await state.route([], webhooks: deliveries, upTo: 3)
            try await state.route([], webhooks: [Self.delivery("a", 3), Self.delivery("a", 4)], upTo: 4)
            #expect(try await state.routerPosition() == 4)
            let waiting = try await state.webhookDeliveries(to: "a", limit: 10)
            var bodies: [[UInt8]?] = []
            for id in waiting { bodies.append(try await state.webhookDelivery(id)?.body) }
            #expect(bodies == [[1, 0, 255], [2, 0, 255], [3, 0, 255], [4, 0, 255]])
            #expect(try await state.webhookDeliveries(to: "a", limit: 2) == Array(waiting.prefix(2)))
            #expect(try await state.webhookDeliveries(to: "a", after: waiting[2], limit: 2) == [waiting[3]])
            #expect(try await state.webhookDeliveryCounts() == ["a": 4, "b": 1])
            try await state.webhook("a", tookThrough: waiting[2])
            #expect(try await state.webhookDeliveries(to: "a", limit: 10) == [waiting[3]])
            #expect(try await state.webhookDelivery(waiting[0]) == nil)
            #expect(try await state.webhookDeliveryCounts() == ["a": 1, "b": 1])
            #expect(try await state.webhookDeliveries(to: "c", limit: 10).isEmpty)
            #expect(try await state.dropWebhookDeliveries(to: "a") == 1)
            #expect(try await state.webhookDeliveryCounts() == ["b": 1])
        }
    }
}
