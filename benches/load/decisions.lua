-- wrk's part: each request takes the next line of a file of bodies; answers other than 201 are counted by wrk.
local key, bodies, at = os.getenv("LOAD_KEY") or "none", {}, 0

for line in io.lines(os.getenv("LOAD_BODIES")) do
    bodies[#bodies + 1] = line
end

local threads = 0
function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(_)
    math.randomseed(number + 1)
    at = math.random(#bodies)
    local headers = { ["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. key }
    for i, body in ipairs(bodies) do
        bodies[i] = wrk.format("POST", "/v1/decisions", headers, body)
    end
end

function request()
    at = at % #bodies + 1
    return bodies[at]
end

function done(summary, latency, _)
    local e = summary.errors
    io.write(string.format(
        'RESULT {"requests":%d,"seconds":%.3f,"bytes":%d,"refused":%d,"broken":%d,"p50_ms":%.3f,"p99_ms":%.3f,"max_ms":%.3f}\n',
        summary.requests, summary.duration / 1e6, summary.bytes, e.status, e.connect + e.read + e.write + e.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
