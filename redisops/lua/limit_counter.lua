-- Decide by two windows, the older weighted by what the last period still overlaps; 14 bytes.
-- KEYS[1]  string: the newer window's start in us (6 bytes, modulo 2^48), spent in it, before it
-- ARGV[1]  cost, below 0 to look only   ARGV[2]  the limit and its period in us, two doubles
-- ARGV[3]  now, us since 1970; left out by all but tests: the server's clock
-- Returns  {allowed 0|1, remaining, us until it would be allowed (-1 never), us until all is back}
local function counter(key, now, cost, take, limit, period)
  local start, spent, before = now, 0, 0
  local state = redis.call('GET', key)
  if state then
    local at
    at, spent, before = struct.unpack('>I6I4I4', state)
    start = now - (now - at) % 2^48
    local age = now - start
    if age >= 2^47 then -- the clock stepped back: the window begins now
      start = now
      if take then
        local value = struct.pack('>I6I4I4', now % 2^48, spent, before)
        redis.call('SET', key, value, 'PX', math.ceil(period / 500) + 1)
      end
    elseif age >= 2 * period then
      start, spent, before = now, 0, 0
    elseif age >= period then
      start, spent, before = start + period, 0, spent
    end
  end
  local age = now - start
  local used = math.floor(before * (period - age) / period) + spent
  local left, reset = math.max(0, limit - used), 0
  if spent > 0 then reset = 2 * period - age elseif used > 0 then reset = period - age end
  if used + cost > limit then
    local retry = -1
    if spent + cost <= limit then
      local room = limit - spent - cost + 1
      retry = math.max(1, period - math.ceil(room * period / before) + 1 - age)
    elseif cost <= limit then -- what the newer window holds must have faded far enough
      local room = limit - cost + 1
      retry = period - age + math.max(0, period - math.ceil(room * period / spent) + 1)
    end
    return false, left, retry, reset
  end
  local value = struct.pack('>I6I4I4', start % 2^48, spent + cost, before)
  return true, left, 0, reset, 2 * period - age, value
end
-- include: limit_spend
-- include: limit_alone
return alone(counter, KEYS[1], ARGV[1], ARGV[3], struct.unpack('>dd', ARGV[2]))
