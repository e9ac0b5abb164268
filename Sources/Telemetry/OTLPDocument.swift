package import Model

/// Spans in OpenTelemetry's protocol, in the JSON form (opentelemetry-proto, `ExportTraceServiceRequest`; identifiers in
/// hexadecimal, as OTLP/JSON has them).
package enum OTLPDocument {
    private static let server = 2
    private static let inside = 1

    /// The body of `POST /v1/traces`.
    package static func body(_ spans: [TraceSpan], resource: [String: String]) -> JSONValue {
        .object([
            "resourceSpans": .array([
                .object([
                    "resource": .object(["attributes": attributes(resource)]),
                    "scopeSpans": .array([
                        .object([
                            "scope": .object(["name": .string("apus")]), "spans": .array(spans.map(json)),
                        ])
                    ]),
                ])
            ])
        ])
    }

    private static func json(_ span: TraceSpan) -> JSONValue {
        var object: JSONObject = [
            "traceId": .string(span.context.traceText),
            "spanId": .string(TraceContext.hexadecimal(span.context.span)),
        ]
        object["parentSpanId"] = span.parent.map { .string(TraceContext.hexadecimal($0)) }
        object["name"] = .string(span.name)
        object["kind"] = .integer(span.parent == nil ? server : inside)
        // 64-bit numbers are texts in protobuf's JSON form.
        object["startTimeUnixNano"] = .string("\(span.start.nanoseconds)")
        object["endTimeUnixNano"] = .string("\(max(span.start, span.end).nanoseconds)")
        object["attributes"] = attributes(span.attributes)
        if let failure = span.failure {
            object["status"] = .object(["code": .integer(2), "message": .string(failure)])
        }
        return .object(object)
    }

    private static func attributes(_ values: [String: String]) -> JSONValue {
        .array(
            values.sorted { $0.key < $1.key }.map { key, value in
                .object(["key": .string(key), "value": .object(["stringValue": .string(value)])])
            })
    }
}
