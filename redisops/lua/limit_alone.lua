-- Decide by one limit, whose algorithm and numbers are handed in. Included by each limit's script.
-- KEYS     none of its own: the limit's key is handed in
-- ARGV     none of its own: the cost, below 0 to look only; now, nil for the server's clock
-- Returns  {allowed 0|1, remaining, us until it would be allowed (-1 never), us until all is back}
local function alone(decide, key, asked, at, ...)
  local time = at and {0, at} or redis.call('TIME')
  local now, cost = time[1] * 1000000 + time[2], tonumber(asked)
  local allowed, left, retry, reset, after, value, first = decide(
    key, now, math.abs(cost), cost > 0, ...)
  if allowed and cost > 0 then
    spend(key, value, after, first)
    left, reset = left - cost, after
  end
  return {allowed and 1 or 0, left, retry, reset}
end
