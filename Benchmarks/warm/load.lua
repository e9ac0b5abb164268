-- The load of wrk: one request, made once and sent over and over. What was counted is printed as a line of JSON.
--
--     wrk … -s load.lua URL -- METHOD BODY-FILE or - [HEADER VALUE]...

function init(arguments)
    wrk.method = arguments[1]
    if arguments[2] ~= "-" then
        local file = assert(io.open(arguments[2], "rb"))
        wrk.body = file:read("*a")
        file:close()
    end
    for index = 3, #arguments, 2 do
        wrk.headers[arguments[index]] = arguments[index + 1]
    end
end

function done(summary, latency)
    local errors = summary.errors
    local text = '{"rate":%.1f,"p50":%.9f,"p99":%.9f,"worst":%.9f,"count":%d,"refused":%d,"broken":%d}\n'
    io.write(string.format(text, summary.requests / summary.duration * 1e6, latency:percentile(50) / 1e6,
        latency:percentile(99) / 1e6, latency.max / 1e6, summary.requests, errors.status,
        errors.connect + errors.read + errors.write + errors.timeout))
end
