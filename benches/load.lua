-- For wrk: sends the requests of a file in turn, and tells what came of them in one line.
-- The requests are complete, with the byte 30 (record separator) between them.

local requests, at = {}, 0

function init(arguments)
  local file = assert(io.open(arguments[1], "rb"))
  for request in file:read("*a"):gmatch("[^\30]+") do
    requests[#requests + 1] = request
  end
  file:close()
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  print(string.format("told %d %d %d %f %f", summary.requests, summary.duration, failed,
    latency:percentile(50), latency:percentile(99)))
end
