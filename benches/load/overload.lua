-- For wrk: decisions asked by one bank, each connection pausing so many milliseconds before each request, answers counted by status.
-- Arguments after --: the bank's key, a file with a request body on each line, the pause in milliseconds.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init(args)
  made, refused, limited, other, told, n = 0, 0, 0, 0, 0, math.random(1000)
  pause = tonumber(args[3] or "0")
  requests = {}
  local headers = { ["Authorization"] = "Bearer " .. args[1], ["Content-Type"] = "application/json" }
  for body in io.lines(args[2]) do
    requests[#requests + 1] = wrk.format("POST", "/v1/decisions", headers, body)
  end
end

function request()
  n = n + 1
  return requests[n % #requests + 1]
end

function response(status, headers)
  if status == 201 then made = made + 1
  elseif status == 503 then refused = refused + 1
  elseif status == 429 then limited = limited + 1
  else other = other + 1 end
end

-- wrk looks for `delay` when a thread begins; a variable of the environment says whether there is to be one.
if os.getenv("OVERLOAD_PAUSED") then
  function delay()
    -- Not all at the same instant.
    return math.floor(pause * (0.5 + math.random()))
  end
end

function done(summary, latency)
  local of = { made = 0, refused = 0, limited = 0, other = 0 }
  for _, thread in ipairs(threads) do
    for name in pairs(of) do of[name] = of[name] + thread:get(name) end
  end
  io.write(string.format(
    '{"seconds": %f, "made": %d, "refused": %d, "limited": %d, "other": %d, "errors": %d, "p50_ms": %f, "p99_ms": %f}\n',
    summary.duration / 1e6, of.made, of.refused, of.limited, of.other,
    summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
